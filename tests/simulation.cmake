set(dir ${CMAKE_CURRENT_LIST_DIR}/simulation)
add_executable(umbra_simulation
    ${dir}/agent.cpp ${dir}/agent_asks.cpp ${dir}/bad_luck.cpp ${dir}/campaign.cpp ${dir}/checker.cpp
    ${dir}/coverage.cpp ${dir}/disk.cpp ${dir}/faults.cpp ${dir}/gateway.cpp ${dir}/healing.cpp
    ${dir}/instance.cpp ${dir}/main.cpp ${dir}/people.cpp ${dir}/plain_tunnel.cpp
    ${dir}/shrink.cpp ${dir}/simulation.cpp ${dir}/transport.cpp ${dir}/world.cpp)
umbra_unite(umbra_simulation)
umbra_compile_alone(${dir}/gateway.cpp)
target_link_libraries(umbra_simulation PRIVATE umbra::core umbra_gateway_protocol
                      umbra_build_options)

# A debug or sanitizer build takes far longer for a seed, so it plays fewer of them.
set(umbra_simulation_seeds 12000)
set(umbra_simulation_mutant_seeds 10000)
if(UMBRA_SANITIZE OR CMAKE_BUILD_TYPE STREQUAL "Debug")
  set(umbra_simulation_seeds 800)
  set(umbra_simulation_mutant_seeds 3000)
endif()
add_test(NAME simulation.seeds COMMAND umbra_simulation --seeds ${umbra_simulation_seeds})
add_test(NAME simulation.mutants
         COMMAND umbra_simulation --mutants --seeds ${umbra_simulation_mutant_seeds})
# Replaying, shrinking and the exit status of a life that breaks a rule.
add_test(NAME simulation.failure
         COMMAND umbra_simulation --seed 3 --mutant epoch_not_persisted --shrink)
set_tests_properties(simulation.failure PROPERTIES
    PASS_REGULAR_EXPRESSION "needed: no fault at all.*replay with: umbra_simulation --seed 3 --mutant epoch_not_persisted --without ")
# A campaign plays every fault: what is said of one life is refused, not ignored.
add_test(NAME simulation.refused COMMAND umbra_simulation --seeds 2 --without power-loss)
set_tests_properties(simulation.refused PROPERTIES
    PASS_REGULAR_EXPRESSION "are for one life; say which with --seed N")
set_tests_properties(simulation.seeds simulation.mutants simulation.failure simulation.refused
                     PROPERTIES LABELS simulation TIMEOUT 600)
