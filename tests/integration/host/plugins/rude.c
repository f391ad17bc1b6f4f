/* A probe in C that breaks the rules of abi.h in the way that its option "mode" names. */
#include <umbra/sdk/abi.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct rude {
    char mode[32];
    umbra_op *kept; /* an operation that is owed */
} rude;

static const umbra_status fine = {sizeof(umbra_status), UMBRA_OK, 0, {NULL, 0}};
static const umbra_probe_result healthy = {sizeof(umbra_probe_result), UMBRA_HEALTHY, 5, {"ok", 2}};

static int is(const rude *self, const char *mode) { return strcmp(self->mode, mode) == 0; }

/* Answers once the host no longer wants it. Bounded: 20 s. */
static void *answer_late(void *argument) {
    umbra_op *op = argument;
    for (int i = 0; i < 20000 && !op->canceled(op); ++i) {
        const struct timespec pause = {0, 1000000};
        nanosleep(&pause, NULL);
    }
    op->done(op, &fine, &healthy);
    return NULL;
}

static void check(void *instance, umbra_op *op) {
    rude *self = instance;
    umbra_probe_result result = healthy;
    umbra_status status = fine;
    if (is(self, "never") || is(self, "late-at-stop") || is(self, "stops-anyway")) {
        self->kept = op;
        return;
    }
    if (is(self, "late")) {
        pthread_t thread;
        pthread_create(&thread, NULL, answer_late, op);
        pthread_detach(thread);
        return;
    }
    if (is(self, "twice")) op->done(op, &fine, &healthy);
    if (is(self, "no-status")) {
        op->done(op, NULL, NULL);
        return;
    }
    if (is(self, "no-result")) {
        op->done(op, &fine, NULL);
        return;
    }
    if (is(self, "short-result")) result.struct_size = 8;
    if (is(self, "bad-health")) result.health = 9;
    if (is(self, "bad-code")) {
        status.code = 99;
        status.message = (umbra_str){"odd", 3};
    }
    if (is(self, "dirty-text")) {
        status.code = UMBRA_REFUSED;
        status.message = (umbra_str){"a\nb\xff", 4};
    }
    if (is(self, "no-text")) status.code = UMBRA_EXHAUSTED;
    op->done(op, &status, &result);
}

static int32_t create(const umbra_host *host, const umbra_value *values, size_t count, void **self,
                      umbra_status *why) {
    rude *made = calloc(1, sizeof *made);
    (void)host, (void)why;
    if (made == NULL || count != 1) return UMBRA_EXHAUSTED;
    memcpy(made->mode, values[0].text.ptr,
           values[0].text.len < sizeof made->mode ? values[0].text.len : sizeof made->mode - 1);
    if (is(made, "fails-silently")) {
        free(made);
        return UMBRA_DENIED;
    }
    *self = made;
    return UMBRA_OK;
}

static void stop(void *instance, umbra_op *op) {
    rude *self = instance;
    const umbra_status closed = {sizeof closed, UMBRA_CLOSED, 0, {"stopping", 8}};
    if (is(self, "never")) return;
    if (is(self, "fails-to-stop")) {
        const umbra_status no = {sizeof no, UMBRA_INTERNAL, 0, {"jammed", 6}};
        op->done(op, &no, NULL);
        return;
    }
    if (is(self, "late-at-stop")) {
        pthread_t thread;
        pthread_create(&thread, NULL, answer_late, op);
        pthread_detach(thread);
        return;
    }
    if (self->kept != NULL && !is(self, "stops-anyway"))
        self->kept->done(self->kept, &closed, NULL);
    op->done(op, &fine, NULL);
}
static void destroy(void *self) { free(self); }

static const umbra_option options[] = {{sizeof(umbra_option), UMBRA_OPT_STRING, UMBRA_OPT_REQUIRED,
                                        "mode", NULL, NULL, NULL, NULL, NULL,
                                        "Which rule to break."}};
static const umbra_lifecycle life = {sizeof life, create, stop, destroy, NULL};
static const umbra_probe_api api = {sizeof api, check};
static const umbra_plugin plugin = {
    sizeof plugin, UMBRA_KIND_PROBE, "rude", "1.0.0", "Breaks the rules.",
    "MIT",         options,          1,      NULL,    &life,
    &api};

__attribute__((used, section(".note.umbra"), aligned(4))) static const struct {
    uint32_t name_size, descriptor_size, type;
    char name[8];
    umbra_note note;
} note = {sizeof UMBRA_NOTE_NAME,
          sizeof(umbra_note),
          UMBRA_NOTE_TYPE,
          UMBRA_NOTE_NAME,
          {UMBRA_ABI_MAGIC, UMBRA_ABI_MAJOR, UMBRA_ABI_MINOR, UMBRA_KIND_PROBE, "rude", "1.0.0",
           "0.1.0"}};

static const umbra_entry_pod entry = {UMBRA_ABI_MAGIC, sizeof entry, UMBRA_ABI_MAJOR,
                                      UMBRA_ABI_MINOR, "0.1.0",      &plugin};
const umbra_entry_pod *const umbra_plugin_entry = &entry;
