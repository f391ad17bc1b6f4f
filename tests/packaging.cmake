# What a user gets: an installation in a staging root, a pair that runs from it with plugins built
# against the installed SDK, and the packages. They need the default target. Sanitizer builds are not
# shipped.
if(NOT UMBRA_SANITIZE)
  set(umbra_packaging_work ${CMAKE_BINARY_DIR}/tests/packaging)
  foreach(test IN ITEMS installed running_pair packages)
    add_test(NAME packaging.${test}
        COMMAND ${Python3_EXECUTABLE} -B
                ${CMAKE_CURRENT_LIST_DIR}/integration/packaging/${test}_test.py
                ${CMAKE_BINARY_DIR} ${umbra_packaging_work}/${test} ${CMAKE_CXX_COMPILER})
    set_tests_properties(packaging.${test} PROPERTIES LABELS integration TIMEOUT 300
        SKIP_RETURN_CODE 77)
  endforeach()
  # CPack writes into the build tree; the pair takes ports.
  set_tests_properties(packaging.packages packaging.running_pair PROPERTIES RUN_SERIAL ON)
endif()
