if(TARGET umbra_admin AND TARGET umbra_config)
  umbra_add_test(admin_test LABEL unit
      SOURCES unit/admin/api_test.cpp
      LIBRARIES umbra_admin umbra_config umbra_core)
endif()
