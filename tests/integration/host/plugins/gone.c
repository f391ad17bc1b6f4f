/* A library that is there when a plugin is linked, and not when it is loaded. */
int umbra_test_gone(void);
int umbra_test_gone(void) { return 1; }
