# Faults on real processes in network namespaces; see tests/chaos/README.md. The run needs the default
# target, and says so with status 77 where namespaces are not permitted.
add_test(NAME chaos.checker COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/chaos/checker_test.py)
set_tests_properties(chaos.checker PROPERTIES LABELS unit TIMEOUT 120)
# Release binaries only: a sanitizer's runtime and strace both want to trace, and freezes of a slow
# build say nothing about the real one.
if(NOT UMBRA_SANITIZE)
  add_test(NAME chaos.run COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/chaos/run.py
                                  --build ${CMAKE_BINARY_DIR} --faults 60)
  set_tests_properties(chaos.run PROPERTIES LABELS chaos TIMEOUT 900 RUN_SERIAL ON SKIP_RETURN_CODE 77)
endif()
