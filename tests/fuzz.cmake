# Decoders under inputs that nobody would write; see tests/fuzz/README.md.
if(TARGET umbra_gateway_server)
  set(umbra_fuzz_targets frames control open status invitation pin record
      socks5 http_connect proxy_header enrolled network)
  umbra_add_test(fuzz_decoders_test LABEL fuzz
    SOURCES fuzz/decoders_test.cpp fuzz/planted_test.cpp fuzz/register_file_test.cpp fuzz/memory.cpp
            fuzz/protocol_targets.cpp fuzz/server_targets.cpp
    LIBRARIES umbra_gateway_server)
  if(UMBRA_LIBFUZZER)
    foreach(name IN LISTS umbra_fuzz_targets)
      add_executable(fuzz_${name} EXCLUDE_FROM_ALL fuzz/libfuzzer.cpp fuzz/protocol_targets.cpp
                                                   fuzz/server_targets.cpp)
      target_include_directories(fuzz_${name} PRIVATE ${CMAKE_CURRENT_LIST_DIR})
      target_compile_definitions(fuzz_${name} PRIVATE UMBRA_FUZZ_TARGET="${name}")
      target_link_libraries(fuzz_${name} PRIVATE umbra_gateway_server umbra_build_options)
      target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    endforeach()
  endif()
endif()
