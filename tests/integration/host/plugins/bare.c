/* A probe written in C on abi.h alone, and bent out of shape by the macros that it is built with.
 * Its constructor tells a test whether it ran, by making the file that UMBRA_TEST_MARK names. */
#include <umbra/sdk/abi.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef BARE_NAME
#define BARE_NAME "bare"
#endif
#ifndef BARE_NOTE_NAME
#define BARE_NOTE_NAME BARE_NAME
#endif
#ifndef BARE_NOTE_MINOR
#define BARE_NOTE_MINOR UMBRA_ABI_MINOR
#endif
#ifndef BARE_NOTE_KIND
#define BARE_NOTE_KIND UMBRA_KIND_PROBE
#endif

__attribute__((constructor)) static void leave_a_mark(void) {
    const char *mark = getenv("UMBRA_TEST_MARK");
    if (mark != NULL) close(open(mark, O_CREAT | O_WRONLY, 0600));
#ifdef BARE_CRASHES
    abort();
#endif
#ifdef BARE_HANGS
    for (;;) pause();
#endif
#ifdef BARE_EXITS
    _exit(3);
#endif
}

#ifdef BARE_UNDEFINED
extern int _ZN5zlibs7missingEi(int); /* zlibs::missing(int) */
#define BARE_USE() (void)_ZN5zlibs7missingEi(1)
#elif defined(BARE_NEEDS)
extern int umbra_test_gone(void);
#define BARE_USE() (void)umbra_test_gone()
#else
#define BARE_USE() (void)0
#endif

#ifndef BARE_NO_CHECK
static void check(void *self, umbra_op *op) {
    static const char detail[] = "written in C";
    const umbra_status status = {sizeof status, UMBRA_OK, 0, {NULL, 0}};
    const umbra_probe_result result = {
        sizeof result, UMBRA_HEALTHY, 1234, {detail, sizeof detail - 1}};
    (void)self;
    BARE_USE();
    op->done(op, &status, &result);
}
#endif

static int32_t create(const umbra_host *host, const umbra_value *values, size_t count, void **self,
                      umbra_status *why) {
    static int instance;
    int *made = &instance;
    (void)host, (void)values, (void)count, (void)why;
#ifdef BARE_NO_INSTANCE
    made = NULL;
#endif
    *self = made;
    return UMBRA_OK;
}
#ifndef BARE_NO_STOP
static void stop(void *self, umbra_op *op) {
    const umbra_status status = {sizeof status, UMBRA_OK, 0, {NULL, 0}};
    (void)self;
    op->done(op, &status, NULL);
}
#endif
static void destroy(void *self) { (void)self; }

static const umbra_lifecycle life = {sizeof life, create,
#ifdef BARE_NO_STOP
                                     NULL,
#else
                                     stop,
#endif
                                     destroy, NULL};
#ifdef BARE_NO_CHECK
/* As if built when the table had no functions yet. */
static const umbra_probe_api api = {sizeof(uint32_t), NULL};
#else
static const umbra_probe_api api = {sizeof api, check};
#endif
static const umbra_plugin plugin = {sizeof plugin,
                                    UMBRA_KIND_PROBE,
                                    BARE_NAME,
                                    "2.1.0",
                                    "A probe in C.",
                                    "MIT",
                                    NULL,
                                    0,
                                    NULL,
                                    &life,
                                    &api};

#ifndef BARE_NO_NOTE
__attribute__((used, section(".note.umbra"), aligned(4))) static const struct {
    uint32_t name_size, descriptor_size, type;
    char name[8];
    umbra_note note;
} note = {sizeof UMBRA_NOTE_NAME,
          sizeof(umbra_note),
          UMBRA_NOTE_TYPE,
          UMBRA_NOTE_NAME,
          {UMBRA_ABI_MAGIC, UMBRA_ABI_MAJOR, BARE_NOTE_MINOR, BARE_NOTE_KIND, BARE_NOTE_NAME,
           "2.1.0", "0.1.0"}};
#endif

#if defined(BARE_NULL_ENTRY)
const umbra_entry_pod *const umbra_plugin_entry = NULL;
#elif defined(BARE_WILD_ENTRY)
const uint64_t umbra_plugin_entry = 0x1234567812345678u;
#elif !defined(BARE_NO_ENTRY)
static const umbra_entry_pod entry = {UMBRA_ABI_MAGIC, sizeof entry, UMBRA_ABI_MAJOR,
                                      UMBRA_ABI_MINOR, "0.1.0",      &plugin};
const umbra_entry_pod *const umbra_plugin_entry = &entry;
#else
const void *bare_other_symbol(void) { return &plugin; }
#endif
