// libzmq is not instrumented, so the thread sanitizer does not see how its threads hand messages
// over: what its I/O thread wrote into one looks like a race with who reads it. Read by the
// sanitizer's runtime; without it this file is empty.
#if defined(__SANITIZE_THREAD__)
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
    return "called_from_lib:libzmq.so.5\n"
           "called_from_lib:libsodium.so.23\n"  // decrypts into messages
           "race:user_id_of\n";                 // metadata that libzmq attached
}
#endif
