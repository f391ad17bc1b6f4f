if(TARGET umbra_admin AND TARGET umbra_config)
  umbra_add_test(admin_test LABEL unit
      SOURCES unit/admin/api_test.cpp
      LIBRARIES umbra_admin umbra_config umbra_core)
endif()

if(TARGET umbra AND TARGET umbra_admin)
  umbra_add_test(cli_test LABEL integration
      SOURCES integration/cli/client_commands_test.cpp integration/cli/usage_test.cpp
              integration/cli/local_commands_test.cpp
      LIBRARIES umbra_admin umbra_config umbra_core)
  target_compile_definitions(cli_test PRIVATE UMBRA_PROGRAM="$<TARGET_FILE:umbra>")
  add_dependencies(cli_test umbra)
endif()
