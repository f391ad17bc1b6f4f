/* The binary interface between the Umbra host and a plugin. C11, no C++, no allocator, no
 * exception.
 *
 * Plugin authors normally include <umbra/sdk/plugin.hpp> and never see this file. It is the
 * contract below it, and what an author in another language builds on.
 *
 * Growth. Every struct begins with `struct_size`, which the writer sets to the size it knew.
 * Members are only appended; a reader must not touch a member beyond `struct_size`. A null function
 * pointer means "not supported". While UMBRA_ABI_MAJOR is 0 the minor must match exactly.
 *
 * Threads. The host makes all calls into one instance from one thread at a time, never from inside
 * done(), and expects each to return within 10 ms: start the work, answer later. done() may be
 * called from any thread, also before the call that started the operation returned.
 *
 * Completion. Every operation is completed exactly once, also after cancel and after its deadline.
 *
 * Ownership. What is passed by umbra_str or umbra_view is borrowed: for arguments, until the call
 * returns; for results and status, until done() returns. Both sides copy what they keep.
 */
#ifndef UMBRA_SDK_ABI_H
#define UMBRA_SDK_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UMBRA_ABI_MAGIC 0x41524255u /* "UBRA", little endian */
#define UMBRA_ABI_MAJOR 0
#define UMBRA_ABI_MINOR 1
/* Name of the ELF note and of the one exported symbol. */
#define UMBRA_NOTE_NAME "Umbra"
#define UMBRA_NOTE_TYPE 1
#define UMBRA_ENTRY_SYMBOL "umbra_plugin_entry"

typedef enum umbra_kind {
    UMBRA_KIND_TRANSPORT = 1,
    UMBRA_KIND_STORAGE = 2,
    UMBRA_KIND_PROBE = 3,
    UMBRA_KIND_TUNNEL = 4
} umbra_kind;

/* A code exists only where a caller acts on it differently. */
typedef enum umbra_code {
    UMBRA_OK = 0,
    UMBRA_UNAVAILABLE = 1, /* try again later                                                   */
    UMBRA_TIMEOUT = 2,     /* the deadline passed; the effect is unknown                        */
    UMBRA_REFUSED = 3,     /* the other side said no; repeating the same will not help           */
    UMBRA_DENIED = 4,      /* authentication or permission                                       */
    UMBRA_INVALID = 5,     /* the arguments or options can not work anywhere                     */
    UMBRA_UNSUPPORTED = 6, /* this plugin does not have the operation                            */
    UMBRA_CANCELED = 7,    /* the caller canceled                                                */
    UMBRA_CLOSED = 8,      /* the instance is stopping; normal at shutdown                       */
    UMBRA_EXHAUSTED = 9,   /* a limit: disk, memory, descriptors                                 */
    UMBRA_DATA_LOSS = 10,  /* state is damaged or an fsync failed: the process must stop         */
    UMBRA_CONFLICT = 11,   /* the state is not what the caller assumed                           */
    UMBRA_INTERNAL = 12    /* a bug in the plugin, for example an exception                      */
} umbra_code;

typedef struct umbra_str {
    const char *ptr;
    size_t len;
} umbra_str; /* UTF-8, not terminated */

typedef struct umbra_view {
    const void *ptr;
    size_t len;
} umbra_view;

typedef struct umbra_status {
    uint32_t struct_size;
    int32_t code;      /* umbra_code */
    int32_t sys_errno; /* 0 when none */
    umbra_str message; /* one sentence, no secret in it */
} umbra_status;

/* An operation in flight. Belongs to the host and is valid until done() returns. */
typedef struct umbra_op {
    uint32_t struct_size;
    /* Completes the operation. `result` is the struct that the operation names, null on failure. */
    void (*done)(struct umbra_op *op, const umbra_status *status, const void *result);
    /* 1 once the host no longer wants the answer; the plugin still completes the operation. */
    int (*canceled)(const struct umbra_op *op);
    int64_t deadline_ns; /* CLOCK_MONOTONIC; 0 = none */
} umbra_op;

/* --- options ------------------------------------------------------------------------------------
 */

typedef enum umbra_option_type {
    UMBRA_OPT_STRING = 1,
    UMBRA_OPT_INTEGER = 2,
    UMBRA_OPT_BOOLEAN = 3,
    UMBRA_OPT_FLOAT = 4,
    UMBRA_OPT_DURATION = 5, /* TOML string such as "150ms"; value in nanoseconds               */
    UMBRA_OPT_SIZE = 6,     /* TOML integer, or string such as "64KiB"; value in bytes         */
    UMBRA_OPT_ENDPOINT = 7, /* "host:port"                                                     */
    UMBRA_OPT_PATH = 8,     /* absolute path, or relative to the file it stands in             */
    UMBRA_OPT_ENUM = 9,     /* one of `choices`                                                */
    UMBRA_OPT_URL = 10,
    UMBRA_OPT_STRING_LIST = 11
} umbra_option_type;

#define UMBRA_OPT_REQUIRED 1u
#define UMBRA_OPT_LIVE 2u   /* may change while the instance runs */
#define UMBRA_OPT_SECRET 4u /* never printed */

/* One option, as data. The host validates, documents and completes from this table alone. */
typedef struct umbra_option {
    uint32_t struct_size;
    uint32_t type;  /* umbra_option_type */
    uint32_t flags; /* UMBRA_OPT_... */
    const char *key;
    const char *def, *min, *max; /* TOML literals, for example "\"2s\"" or "1"; null = none */
    const char *const *choices;  /* null-terminated; null unless ENUM */
    const char *unit;            /* shown in documentation; may be null */
    const char *help;            /* one sentence */
} umbra_option;

/* The value of options[i]; defaults are applied. `present` is 0 when neither set nor defaulted. */
typedef struct umbra_value {
    uint32_t type;
    uint32_t present;
    int64_t integer; /* INTEGER, BOOLEAN, DURATION (ns), SIZE (bytes) */
    double number;   /* FLOAT */
    umbra_str text;  /* the other types */
    const umbra_str *list;
    size_t list_len;
} umbra_value;

/* --- what the host offers -----------------------------------------------------------------------
 */

typedef enum umbra_log_level {
    UMBRA_LOG_TRACE = 0,
    UMBRA_LOG_DEBUG = 1,
    UMBRA_LOG_INFO = 2,
    UMBRA_LOG_WARN = 3,
    UMBRA_LOG_ERROR = 4
} umbra_log_level;

/* Valid from create() until destroy() returned. Every function may be called from any thread. */
typedef struct umbra_host {
    uint32_t struct_size;
    uint16_t abi_major, abi_minor;
    void *context; /* first argument of every function below */
    int (*log_enabled)(void *context, uint32_t level);
    void (*log)(void *context, uint32_t level, umbra_str message);
    umbra_str instance_name; /* [instance] name of the file */
    umbra_str object_name; /* "main" of [tunnel.main]; the plugin's name where there is only one */
    umbra_str state_dir;   /* private directory, mode 0700, survives restarts, never replicated */
} umbra_host;

/* --- life ---------------------------------------------------------------------------------------
 */

typedef struct umbra_lifecycle {
    uint32_t struct_size;
    /* Makes an instance. Must be quick: open nothing slow here. `why` is filled on failure. Its
     * message may point into storage that lives until the next call into the plugin. */
    int32_t (*create)(const umbra_host *host, const umbra_value *values, size_t count, void **self,
                      umbra_status *why);
    /* Ends all open operations (UMBRA_CLOSED) and releases everything. No thread of the instance
     * survives `done`. */
    void (*stop)(void *self, umbra_op *op);
    /* Only after stop() completed. */
    void (*destroy)(void *self);
    /* Other values for the options that are LIVE; what the others have is as before. All or none:
     * a failure leaves the old values in force. Values are borrowed for the call. Null: options
     * count when the instance is made, LIVE or not. A table may end before this member. */
    void (*change_options)(void *self, const umbra_value *values, size_t count, umbra_op *op);
} umbra_lifecycle;

/* --- transport: messages between the two instances ----------------------------------------------
 */

/* An identity is text that names a key pair, for example a Z85 public key; the host only compares.
 */
typedef struct umbra_transport_spec {
    uint32_t struct_size;
    umbra_str own_publish, own_respond;   /* endpoints to bind; empty = do not bind               */
    umbra_str peer_publish, peer_respond; /* endpoints to connect to; empty = not known           */
    umbra_str peer_identity;              /* pinned identity of the peer; empty = not paired      */
    const umbra_str *guests;              /* one-time identities that may call introduce()        */
    size_t guest_count;
} umbra_transport_spec;

/* result of open */
typedef struct umbra_transport_opened {
    uint32_t struct_size;
    umbra_str identity;                 /* own identity, kept in state_dir across restarts */
    umbra_str own_publish, own_respond; /* as bound: port 0 is replaced by the real one   */
} umbra_transport_opened;

/* result of request, introduce */
typedef struct umbra_frames {
    uint32_t struct_size;
    const umbra_view *frames;
    size_t count;
} umbra_frames;

/* result of mint: a key pair for one introduction */
typedef struct umbra_minted {
    uint32_t struct_size;
    umbra_str identity; /* public part: goes into `guests` */
    umbra_str secret;   /* goes into the invitation, is never stored */
} umbra_minted;

typedef enum umbra_transport_event_type {
    UMBRA_TRANSPORT_UPDATE = 1,    /* published by the peer: frames                              */
    UMBRA_TRANSPORT_ASKED = 2,     /* the peer asks: frames, id; answer it                       */
    UMBRA_TRANSPORT_LINK_UP = 3,   /* authenticated connection to the peer                       */
    UMBRA_TRANSPORT_LINK_LOST = 4, /* it broke; the plugin redials by itself                     */
    UMBRA_TRANSPORT_REFUSED = 5,   /* the peer's host refuses connections: its process is gone   */
    UMBRA_TRANSPORT_STRANGER = 6   /* someone without a permitted key; count, detail             */
} umbra_transport_event_type;

/* result of next_event */
typedef struct umbra_transport_event {
    uint32_t struct_size;
    uint32_t type;
    uint64_t id;        /* ASKED */
    umbra_str identity; /* ASKED: whose key; the peer or a guest */
    const umbra_view *frames;
    size_t frame_count;
    uint64_t count;   /* STRANGER: refused since the last such event */
    umbra_str detail; /* for people */
} umbra_transport_event;

typedef struct umbra_transport_api {
    uint32_t struct_size;
    void (*open)(void *self, const umbra_transport_spec *spec, umbra_op *op);
    /* Applies another spec to an open transport: own endpoints must be unchanged. */
    void (*reconfigure)(void *self, const umbra_transport_spec *spec, umbra_op *op);
    /* To the subscribed peer; completes when handed over, delivery is not promised. */
    void (*publish)(void *self, const umbra_view *frames, size_t count, umbra_op *op);
    /* Question to the peer; completes with its answer, or UMBRA_TIMEOUT at the deadline. */
    void (*request)(void *self, const umbra_view *frames, size_t count, umbra_op *op);
    /* Pull. At most one is open; events wait in the plugin, bounded. */
    void (*next_event)(void *self, umbra_op *op);
    void (*answer)(void *self, uint64_t id, const umbra_view *frames, size_t count, umbra_op *op);
    /* What a ping is answered with by the transport's own thread, at once, without the host: the
     * frames of the last set_pong() followed by one frame with the age in nanoseconds (u64, little
     * endian) since then. A request whose first frame equals `ping` is such a ping. */
    void (*set_pong)(void *self, umbra_view ping, const umbra_view *frames, size_t count,
                     umbra_op *op);
    void (*mint)(void *self, umbra_op *op);
    /* One question to `respond` as a guest: server identity pinned, own key = minted secret. */
    void (*introduce)(void *self, umbra_str respond, umbra_str server_identity, umbra_str secret,
                      const umbra_view *frames, size_t count, umbra_op *op);
} umbra_transport_api;

/* --- config storage: a durable log with a snapshot ----------------------------------------------
 */

typedef struct umbra_position {
    uint64_t seq; /* 0 = empty */
    uint64_t epoch;
    uint8_t hash[32];
} umbra_position;

typedef struct umbra_entry {
    umbra_position position;
    umbra_view body;
} umbra_entry;

/* result of open */
typedef struct umbra_storage_opened {
    uint32_t struct_size;
    umbra_position last;     /* newest durable entry, or the snapshot's */
    umbra_position snapshot; /* seq 0 = none */
    umbra_str detail;        /* for people: "dropped a torn record of 37 bytes"; empty = nothing */
} umbra_storage_opened;

/* result of read: entries in order; fewer than asked = the end */
typedef struct umbra_entries {
    uint32_t struct_size;
    const umbra_entry *entries;
    size_t count;
} umbra_entries;

/* result of read_snapshot */
typedef struct umbra_snapshot {
    uint32_t struct_size;
    umbra_entry snapshot; /* position.seq 0 = none */
} umbra_snapshot;

typedef struct umbra_storage_api {
    uint32_t struct_size;
    void (*open)(void *self, umbra_op *op);
    /* Durable when it completes. The first entry follows the last one; else UMBRA_CONFLICT. Several
     * may be in flight; they complete in order. An fsync error is UMBRA_DATA_LOSS. */
    void (*append)(void *self, const umbra_entry *entries, size_t count, umbra_op *op);
    void (*read)(void *self, uint64_t from_seq, size_t max, umbra_op *op);
    void (*read_snapshot)(void *self, umbra_op *op);
    /* Cuts every entry after `seq`; durable when it completes. */
    void (*truncate)(void *self, uint64_t seq, umbra_op *op);
    /* Replaces everything by this snapshot, atomically and durably. */
    void (*install)(void *self, const umbra_entry *snapshot, umbra_op *op);
    /* Keeps `snapshot` and the entries after it; what is before may go. */
    void (*compact)(void *self, const umbra_entry *snapshot, umbra_op *op);
} umbra_storage_api;

/* --- health probe -------------------------------------------------------------------------------
 */

typedef enum umbra_health { UMBRA_HEALTHY = 1, UMBRA_DEGRADED = 2, UMBRA_DOWN = 3 } umbra_health;

/* result of check */
typedef struct umbra_probe_result {
    uint32_t struct_size;
    uint32_t health;
    int64_t latency_ns;
    umbra_str detail; /* one line, at most 256 bytes */
} umbra_probe_result;

typedef struct umbra_probe_api {
    uint32_t struct_size;
    /* One check of what the options name. Being down is a result, not a failure. */
    void (*check)(void *self, umbra_op *op);
} umbra_probe_api;

/* --- tunnel provider ----------------------------------------------------------------------------
 */

typedef enum umbra_tunnel_state {
    UMBRA_TUNNEL_DOWN = 1,
    UMBRA_TUNNEL_CONNECTING = 2,
    UMBRA_TUNNEL_STANDBY = 3,
    UMBRA_TUNNEL_ACTIVE = 4,
    UMBRA_TUNNEL_DRAINING = 5,
    UMBRA_TUNNEL_REFUSED = 6
} umbra_tunnel_state;

typedef enum umbra_claim_reason {
    UMBRA_CLAIM_FIRST = 1,        /* nobody ever held it, or this instance did and restarted */
    UMBRA_CLAIM_PEER_REFUSED = 2, /* the master's host refuses connections                   */
    UMBRA_CLAIM_PEER_SILENT = 3,  /* the takeover delay passed                               */
    UMBRA_CLAIM_HANDOVER = 4,     /* the holder consented                                    */
    UMBRA_CLAIM_FORCED = 5,       /* an operator ordered it                                  */
    UMBRA_CLAIM_FOLLOW = 6        /* another gateway, the register of record, granted it     */
} umbra_claim_reason;

/* One node with one data directory: a fresh disk is another incarnation. */
typedef struct umbra_member {
    umbra_str node;
    umbra_str incarnation;
} umbra_member;

/* The register at the gateway as far as this node may see it. */
typedef struct umbra_register_view {
    uint32_t struct_size;
    uint32_t known; /* 0: never heard from the gateway; the rest is meaningless */
    uint64_t epoch; /* 0 = never granted */
    umbra_str holder;
    uint32_t holder_alive;
    uint64_t in_sync_seq;
    const umbra_member *in_sync;
    size_t in_sync_count;
    int64_t holder_heard_ns; /* age of the holder's last sign of life as the gateway sees it */
    umbra_str store; /* names the store of a register that several gateways share; else empty */
} umbra_register_view;

/* One of the internal systems that a mapping leads to. */
typedef struct umbra_backend {
    uint32_t struct_size;
    umbra_str host;
    uint16_t port;
    uint32_t down; /* its probe says so: passed over while another one is not */
} umbra_backend;

/* What a mapping of protocol "http" or "http+tls" permits; what none permits is denied. */
typedef struct umbra_resource {
    uint32_t struct_size;
    umbra_str name;
    umbra_str path;           /* compared as it is, without the query */
    uint32_t sub_paths;       /* also what is below it, by whole segments */
    const umbra_str *methods; /* none: any but CONNECT and TRACE */
    size_t method_count;
    uint32_t upgrade; /* may be taken over by another protocol, for example WebSocket */
    uint32_t active;
} umbra_resource;

/* Arrays of these are walked by the `struct_size` of their first element. */
typedef struct umbra_mapping {
    uint32_t struct_size;
    umbra_str name;
    umbra_str virtual_host; /* lower case */
    uint16_t virtual_port, virtual_port_last;
    umbra_str internal_host;
    uint16_t internal_port;
    umbra_str protocol; /* "tcp", "tcp+tls", "http", "http+tls" */
    uint32_t active;
    /* A host that does not know the rest ends here. */
    const umbra_backend *backends; /* in order; the first is internal_host and internal_port */
    size_t backend_count;          /* 0: only that one */
    umbra_str tls_server_name;     /* empty: the backend's host */
    umbra_str tls_ca_file;         /* empty: the system's */
    umbra_str tls_pin;             /* "sha256:...": instead of CA and name; empty: none */
    uint32_t proxy_v2;             /* PROXY protocol v2 towards the backend */
    uint32_t rewrite_host;         /* http: the backend gets its own name as Host */
    const umbra_resource *resources;
    size_t resource_count;
} umbra_mapping;

typedef struct umbra_channel {
    uint32_t struct_size;
    umbra_str name, listen, target;
} umbra_channel;

typedef struct umbra_tunnel_spec {
    uint32_t struct_size;
    umbra_str node;        /* name of this instance */
    umbra_str incarnation; /* changes with the data directory */
    uint64_t epoch;        /* highest epoch this node has stored */
    const umbra_mapping *mappings;
    size_t mapping_count;
    const umbra_channel *channels;
    size_t channel_count;
} umbra_tunnel_spec;

/* result of claim */
typedef struct umbra_claim_result {
    uint32_t struct_size;
    uint32_t granted;
    umbra_register_view reg;
    umbra_str detail; /* why not, for people: "holder heard 38 ms ago" */
} umbra_claim_result;

typedef enum umbra_tunnel_event_type {
    UMBRA_TUNNEL_EVENT_STATE = 1,       /* state, detail, links, streams changed               */
    UMBRA_TUNNEL_EVENT_REGISTER = 2,    /* the register as pushed by the gateway               */
    UMBRA_TUNNEL_EVENT_HOLDER_LOST = 3, /* the gateway no longer hears the holder of reg.epoch */
    UMBRA_TUNNEL_EVENT_FENCED = 4,      /* a higher epoch was granted: reg.epoch, reg.holder   */
    UMBRA_TUNNEL_EVENT_DENIED = 5       /* streams that no mapping permits: count, detail      */
} umbra_tunnel_event_type;

/* result of next_event */
typedef struct umbra_tunnel_event {
    uint32_t struct_size;
    uint32_t type;
    uint32_t state; /* umbra_tunnel_state, in every event */
    uint32_t links, streams;
    uint64_t count;
    umbra_register_view reg;
    umbra_str detail;
    int64_t
        unheard_ns; /* while no link is up: age of the far end's last sign of life; 0: unknown */
} umbra_tunnel_event;

/* properties of a provider, in umbra_plugin.capabilities */
#define UMBRA_CAP_FENCES \
    "fences" /* its far end arbitrates: claim() and set_in_sync() mean something */

typedef enum umbra_check_kind {
    UMBRA_CHECK_MAPPING = 1, /* a backend, tried from this node                 */
    UMBRA_CHECK_CHANNEL = 2  /* a target at the far end, tried through the tunnel */
} umbra_check_kind;

typedef enum umbra_check_outcome {
    UMBRA_CHECK_OK = 1,
    UMBRA_CHECK_FAILED = 2,
    UMBRA_CHECK_SKIPPED = 3 /* not tried; the detail says why */
} umbra_check_outcome;

typedef struct umbra_tunnel_check {
    uint32_t struct_size;
    uint32_t kind;    /* umbra_check_kind */
    umbra_str name;   /* of the mapping or channel */
    umbra_str target; /* "127.0.0.1:8000" */
    uint32_t outcome; /* umbra_check_outcome */
    int64_t latency_ns;
    umbra_str detail; /* one sentence; empty when there is nothing to say */
} umbra_tunnel_check;

/* result of check; walked by the `struct_size` of the first element */
typedef struct umbra_check_report {
    uint32_t struct_size;
    const umbra_tunnel_check *checks;
    size_t check_count;
} umbra_check_report;

typedef struct umbra_tunnel_api {
    uint32_t struct_size;
    /* Begins to dial and keeps at it; completes at once, the state comes as events. */
    void (*open)(void *self, const umbra_tunnel_spec *spec, umbra_op *op);
    /* Asks the far end for `epoch`. A refusal is a result, not a failure. */
    void (*claim)(void *self, uint64_t epoch, uint32_t reason, umbra_op *op);
    /* Serves under a granted epoch; completes when the far end routes to this node. */
    void (*activate)(void *self, uint64_t epoch, umbra_op *op);
    /* Other mappings and channels, without touching unrelated streams. */
    void (*configure)(void *self, const umbra_tunnel_spec *spec, umbra_op *op);
    /* Holder only: lets `successor` claim the next epoch (empty: anyone in sync). */
    void (*consent)(void *self, uint64_t epoch, umbra_str successor, umbra_op *op);
    /* Stops taking new streams, lets open ones live for `grace_ns` (0: cut at once), back to
     * standby. Completes when no stream is left. */
    void (*drain)(void *self, int64_t grace_ns, umbra_op *op);
    void (*next_event)(void *self, umbra_op *op);
    /* Holder only: replaces the in-sync set; `seq` grows with every change. */
    void (*set_in_sync)(void *self, uint64_t epoch, uint64_t seq, const umbra_member *members,
                        size_t count, umbra_op *op);
    /* Uses up a one-time invitation of the far end, so that this node may dial. */
    void (*enrol)(void *self, umbra_str invitation, umbra_op *op);
    /* Tries every backend of every mapping and, while active, every channel, from this node; also
     * in standby, and without a link. What cannot be reached is a result, not a failure. */
    void (*check)(void *self, umbra_op *op);
    /* Replaces this node's own key at the far end, which knew the old one: completes when the new
     * one is in use. Streams that are open stay. What was begun goes on after a failure or a
     * restart. */
    void (*rotate_key)(void *self, umbra_op *op);
} umbra_tunnel_api;

/* --- the entry ----------------------------------------------------------------------------------
 */

typedef struct umbra_plugin {
    uint32_t struct_size;
    uint32_t kind; /* umbra_kind */
    const char *name;
    const char *version;
    const char *summary;
    const char *license;
    const umbra_option *options;
    size_t option_count;
    const char *const *capabilities; /* null-terminated; may be null */
    const umbra_lifecycle *life;
    const void *api; /* umbra_<kind>_api */
} umbra_plugin;

/* What UMBRA_ENTRY_SYMBOL leads to. Must agree with the note, which is read before any loading. */
typedef struct umbra_entry_pod {
    uint32_t magic;
    uint32_t struct_size;
    uint16_t abi_major, abi_minor;
    const char *sdk_version;
    const umbra_plugin *plugin;
} umbra_entry_pod;

/* Descriptor of the ELF note: fixed size, NUL-padded text. */
typedef struct umbra_note {
    uint32_t magic;
    uint16_t abi_major, abi_minor;
    uint32_t kind;
    char name[32];
    char version[20];
    char sdk_version[16];
} umbra_note;

#ifdef __cplusplus
}
#endif
#endif
