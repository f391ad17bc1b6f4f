set(dir ${CMAKE_CURRENT_LIST_DIR}/exploration)
add_executable(umbra_exploration
    ${dir}/actions.cpp ${dir}/explorer.cpp ${dir}/frozen.cpp ${dir}/gate.cpp ${dir}/main.cpp
    ${dir}/names.cpp ${dir}/normal_form.cpp ${dir}/parties.cpp ${dir}/party.cpp ${dir}/renamed.cpp
    ${dir}/shell.cpp ${dir}/story.cpp ${dir}/uplink.cpp ${dir}/world.cpp)
umbra_unite(umbra_exploration)
umbra_compile_alone(${dir}/frozen.cpp ${dir}/gate.cpp ${dir}/names.cpp ${dir}/parties.cpp
                    ${dir}/shell.cpp ${dir}/uplink.cpp)
target_link_libraries(umbra_exploration PRIVATE umbra::core umbra_gateway_protocol
                      umbra_build_options)
# A normal form is made of what the classes keep to themselves.
set_source_files_properties(${dir}/frozen.cpp ${dir}/names.cpp ${dir}/normal_form.cpp
                            PROPERTIES COMPILE_OPTIONS -fno-access-control)

# umbra_explore(<name> <argument>...)  Ends well only when no state is left to look at.
function(umbra_explore name)
  add_test(NAME exploration.${name} COMMAND umbra_exploration ${ARGN})
  set_tests_properties(exploration.${name} PROPERTIES LABELS simulation TIMEOUT 300)
endfunction()
umbra_explore(crash --crashes 1 --cuts 0 --edits 0 --switches 0)
umbra_explore(cut --crashes 0 --cuts 1 --edits 0 --switches 0)
umbra_explore(edit_and_switch --crashes 0 --cuts 0 --edits 1 --switches 1)
# Within the bounds of `run.sh --explore`.
umbra_explore(mutants --mutants --turns 0 --amid 1)
# Sanitizers take ten times as long; they see every part of the code in the smaller worlds.
if(NOT UMBRA_SANITIZE AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  umbra_explore(crash_and_edit --crashes 1 --cuts 0 --edits 1 --switches 0 --overlap 1)
  umbra_explore(two_crashes_and_cut --crashes 2 --cuts 1 --edits 0 --switches 0
                --turns 0 --amid 1)
  # With and without the reductions: nothing is missed.
  umbra_explore(reductions --crashes 1 --cuts 1 --edits 0 --switches 1 --turns 0 --overlap 1
                --compare)
  umbra_explore(reductions_amid --crashes 1 --cuts 1 --edits 1 --switches 0 --turns 0 --amid 1
                --compare)
  umbra_explore(reductions_any_order --crashes 1 --cuts 0 --edits 0 --switches 0 --compare)
endif()
add_test(NAME exploration.fields
         COMMAND ${Python3_EXECUTABLE} ${dir}/fields.py ${PROJECT_SOURCE_DIR})
set_tests_properties(exploration.fields PROPERTIES LABELS simulation TIMEOUT 60)
