# Real processes over real sockets; see tests/scenarios/README.md. They need the default target.
set(umbra_scenario_runner ${CMAKE_CURRENT_LIST_DIR}/scenarios/run.py)
file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/scenarios/names.txt umbra_scenarios)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
             ${CMAKE_CURRENT_LIST_DIR}/scenarios/names.txt)
foreach(name IN LISTS umbra_scenarios)
  add_test(NAME scenario.${name} COMMAND ${Python3_EXECUTABLE} -B ${umbra_scenario_runner} ${name}
                                         --build ${CMAKE_BINARY_DIR})
  set_tests_properties(scenario.${name} PROPERTIES LABELS scenario TIMEOUT 120 RUN_SERIAL ON)
  if(name MATCHES "_killed_everywhere$")  # A life for every change of a file.
    set_tests_properties(scenario.${name} PROPERTIES TIMEOUT 300)
  endif()
  if(UMBRA_SANITIZE)
    set_tests_properties(scenario.${name} PROPERTIES ENVIRONMENT UMBRA_SANITIZE=${UMBRA_SANITIZE})
  endif()
endforeach()
add_test(NAME scenario.names COMMAND ${Python3_EXECUTABLE} -B ${umbra_scenario_runner} --check-names)
set_tests_properties(scenario.names PROPERTIES LABELS lint)
