if(TARGET umbra-transport-zeromq AND TARGET umbra_host)
  add_executable(zeromq_child ${CMAKE_CURRENT_LIST_DIR}/integration/transport/zeromq_child.cpp
                 ${CMAKE_CURRENT_LIST_DIR}/integration/transport/libzmq_tsan.cpp)
  umbra_add_test(zeromq_test LABEL integration TIMEOUT 180
      SOURCES integration/transport/zeromq_test.cpp
              integration/transport/libzmq_tsan.cpp
              integration/transport/zeromq_attack_test.cpp
              integration/transport/zeromq_kill_test.cpp
      LIBRARIES umbra_host umbra_zeromq)
  target_include_directories(zeromq_child PRIVATE ${CMAKE_CURRENT_LIST_DIR})
  target_link_libraries(zeromq_child PRIVATE umbra_host umbra_build_options GTest::gtest)
  add_dependencies(zeromq_test umbra-transport-zeromq zeromq_child)
  foreach(target zeromq_test zeromq_child)
    target_compile_definitions(${target} PRIVATE
        UMBRA_ZEROMQ_PLUGIN="$<TARGET_FILE:umbra-transport-zeromq>")
  endforeach()
  target_compile_definitions(zeromq_test PRIVATE
      UMBRA_ZEROMQ_CHILD="$<TARGET_FILE:zeromq_child>")
endif()
if(TARGET umbra_zeromq)
  umbra_add_test(zeromq_unit_test LABEL unit
      SOURCES unit/transport/zeromq/authentication_test.cpp
              integration/transport/libzmq_tsan.cpp
              unit/transport/zeromq/event_port_test.cpp
              unit/transport/zeromq/events_test.cpp
              unit/transport/zeromq/permits_test.cpp
              unit/transport/zeromq/probe_test.cpp
              unit/transport/zeromq/wire_test.cpp
      LIBRARIES umbra_zeromq)
endif()
