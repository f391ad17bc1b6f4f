# Rules that a compiler does not hold; see tests/lint/README.md.

# umbra_add_lint(<name> <command>...)
function(umbra_add_lint name)
  add_test(NAME lint.${name} COMMAND ${ARGN})
  set_tests_properties(lint.${name} PROPERTIES LABELS lint TIMEOUT 300 SKIP_RETURN_CODE 77)
endfunction()

foreach(check IN ITEMS layering house format)
  umbra_add_lint(${check} ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/lint/${check}.py
                 ${PROJECT_SOURCE_DIR})
endforeach()
umbra_add_lint(headers ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/lint/headers.py
               ${PROJECT_SOURCE_DIR} ${CMAKE_BINARY_DIR}/tests/lint/headers
               ${CMAKE_CXX_COMPILER})
umbra_add_lint(rules ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/lint/lint_test.py
               ${CMAKE_CXX_COMPILER} ${CMAKE_AR})
# A sanitizer calls into its own runtime, whose names say nothing about these folders.
if(NOT UMBRA_SANITIZE)
  umbra_add_lint(pure_symbols ${Python3_EXECUTABLE} -B
                 ${CMAKE_CURRENT_LIST_DIR}/lint/pure_symbols.py ${CMAKE_NM}
                 $<TARGET_FILE:umbra_core> $<TARGET_FILE:umbra_gateway_protocol>)
endif()
foreach(plugin IN ITEMS transport-zeromq storage-file storage-sqlite storage-etcd probe-tcp probe-http probe-exec
        tunnel-gateway tunnel-ssh tunnel-exec)
  umbra_add_lint(plugin_exports.${plugin} ${CMAKE_COMMAND} -DNM=${CMAKE_NM}
                 -DFILE=$<TARGET_FILE:umbra-${plugin}>
                 -P ${PROJECT_SOURCE_DIR}/sdk/cmake/check_exports.cmake)
endforeach()
