set(dir ${CMAKE_CURRENT_LIST_DIR}/simulation)
add_executable(umbra_simulation
    ${dir}/agent.cpp ${dir}/checker.cpp ${dir}/disk.cpp ${dir}/gateway.cpp ${dir}/instance.cpp
    ${dir}/main.cpp ${dir}/simulation.cpp ${dir}/world.cpp)
target_link_libraries(umbra_simulation PRIVATE umbra::core umbra_gateway_protocol
                      umbra_build_options)

# A debug or sanitizer build takes far longer for a seed, so it plays fewer of them.
set(umbra_simulation_seeds 3000)
if(UMBRA_SANITIZE OR CMAKE_BUILD_TYPE STREQUAL "Debug")
  set(umbra_simulation_seeds 400)
endif()
add_test(NAME simulation.seeds
         COMMAND umbra_simulation --seeds ${umbra_simulation_seeds} --seconds 60)
add_test(NAME simulation.mutants COMMAND umbra_simulation --mutants --seeds 2000)
set_tests_properties(simulation.seeds simulation.mutants PROPERTIES LABELS simulation TIMEOUT 300)
