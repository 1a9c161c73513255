"""Every default in one place, each with its unit in its name."""

# -- builds and keys ------------------------------------------------------------------------------------------------
BUILD_ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
CONTENT_BUILD_ID_CHARACTERS = 16
HASH_TOKEN_MINIMUM_CHARACTERS = 8
DEFAULT_DOCUMENT_MODE = "spa"
DOCUMENT_MODES = ("spa", "directory", "html")
SITE_NAME_PATTERN = r"[a-z][a-z0-9-]{0,22}[a-z0-9]"
"""At most 24 characters, so that `bluegreen-<site>-<account>-<region>` stays within S3's 63."""
RESERVED_TOP_FOLDERS = ("_bluegreen", "builds", "manifests", "shared")

# -- publishing -----------------------------------------------------------------------------------------------------
PATH_MAXIMUM_BYTES = 1024 - len("builds/") - 64 - len("/") - len(".br")
FILE_MAXIMUM_BYTES = 5 * 1024**3
"""The most that S3 takes in one request, and only one request can be conditional and carry the whole file's SHA-256."""
SMALL_FILE_BYTES = 8 * 1024**2
"""Sent from memory, and in bulk; what is larger is streamed."""
IN_FLIGHT_BYTES = 32 * 1024**2
"""Of small files that are in memory at once, however many threads there are."""
COPY_MINIMUM_BYTES = 1024**2
"""Of a file that is copied on the server: below, an upload is as quick (the copy costs two looks besides)."""
COPY_REFUSALS_UNTIL_OFF = 8
"""Files that could be uploaded and not copied, until copies are tried no more."""
FILL_LOOKS = 200
"""Files of earlier builds that another bucket is asked for one by one, rather than reading one more manifest."""
ARCHIVE_RATIO_MAXIMUM = 200
"""Of unpacked bytes to packed ones. Builds come to 3 to 20, a log of one repeated line to 1,000."""
ARCHIVE_UNPACKED_FREE_BYTES = 100 * 1024**2
"""What any archive may unpack into, whatever the ratio."""
SCAN_MAXIMUM_BYTES = 16 * 1024**2
"""Of a text that is searched for references; what is longer no person wrote, and memory stays small."""
MISSING_TARGETS_LISTED = 50
UPLOAD_WORKERS = 16
BULK_UPLOAD_WORKERS = 128
"""With obstore, whose threads wait for the network and not for each other."""
HASH_WORKERS = 4
READERS = 2
"""Threads that read files of a folder at once while many upload: more hinder each other."""
SCAN_AHEAD_MINIMUM_FILES = 1_000
"""Of a folder whose files a process of its own looks through, which takes a twentieth of a second to start."""
SCAN_AHEAD_BATCH_FILES = 128
SCAN_AHEAD_MAXIMUM_BYTES = 16 * 1024**2
"""Of memory for what that process says, about. Files of which nothing is kept are read when their turn comes."""
COLLECT_AFTER_OBJECTS = 100_000
"""New objects, more than old ones, after which Python looks for cycles that nothing refers to. Its default is 700."""
HASH_BATCH_FILES = 128
"""That a thread takes at once."""
HASH_BUFFER_BYTES = 256 * 1024
BULK_CREDENTIALS_SECONDS = 60
"""How long the bulk uploader keeps credentials before it asks the session again, which renews those that expire."""
BULK_FAILURES_UNTIL_OFF = 8
"""Objects that boto3 could write and the bulk uploader could not, until it is asked no more."""
DOWNLOAD_PIECE_BYTES = 1024**2
RANGE_BYTES = 1024**2
"""Of an archive in S3 that does not fit the disk, asked for at once."""
RANGE_PIECE_BYTES = 64 * 1024
RANGED_BUFFER_BYTES = 64 * 1024
ASSET_DISK_RESERVE_BYTES = 256 * 1024**2
"""Of the publish function's disk, for what is put by while it publishes."""
RANGES_KEPT = UPLOAD_WORKERS + 4
"""One for each thread that reads an archive in S3, and some for those about to be read."""
MANIFESTS_READ_AHEAD = 8
"""Manifests of other builds that are asked for while one is read."""
MANIFEST_IN_MEMORY_BYTES = 2 * 1024**2
"""A longer one waits on disk until it is written."""
BROTLI_BEST_QUALITY = 11
BROTLI_FAST_QUALITY = 5
"""About what CDNs compress with while a visitor waits."""
GZIP_LEVEL = 9
COMPRESSION_PIECE_BYTES = 1024**2
"""What a compressor is fed at a time; brotli's output depends on it, so it is never changed without a reason."""
COMPRESS_BEST_BYTES_PER_SECOND = 700_000
"""Of one core, both encodings together: brotli 11 at 0.75 MB/s, and gzip 9 at 20, one after the other."""
COMPRESS_FAST_BYTES_PER_SECOND = 10_000_000
"""The same with brotli 5, at 18 MB/s."""
LAMBDA_PROCESSOR_MEGABYTES = 1769
"""Of memory that Lambda gives a whole processor with."""
COMPRESS_NOTICE_SECONDS = 5
"""From here on it is said beforehand how long compression will take."""
RENAME_WARNINGS = 10
"""Kinds of files that are warned about one by one; the others are counted."""

# -- retention ------------------------------------------------------------------------------------------------------
RETAINED_BUILDS = 5
"""The builds published last, kept whatever their age."""
SKEW_WINDOW_DAYS = 7
"""As long as `BUILD_COOKIE_MAX_AGE_SECONDS`: an open page may ask for files of its build."""
PUBLISH_MAXIMUM_HOURS = 6
"""A publish that takes longer does not write its manifest: what it found in place may be gone."""
CONDEMNED_WAIT_HOURS = 24
"""Between the two sweeps; longer than any publish may take, with time for clocks and for a release that has begun."""
CONDEMNED_PREFIX = "condemned/"
CONDEMNED_CHUNK_OBJECTS = 20_000
SWEEP_MAXIMUM_OBJECTS = 1_000_000
"""Files of the builds that one sweep condemns; the next sweep takes the others."""
SCHEDULED_SWEEP_OBJECTS = 200_000
"""The same for the scheduled function, whose run is short."""
COLLECT_MARGIN_SECONDS = 60
"""Of the scheduled function's time that are kept for the step that it has begun."""
DELETE_BATCH_OBJECTS = 1_000
"""The most that S3 takes in one request."""
KVS_BATCH_KEYS = 50
"""The most that the KeyValueStore changes in one request."""
FINDINGS_LISTED = 1_000
"""Of a verification; the rest is counted."""

# -- custom resources -----------------------------------------------------------------------------------------------
CUSTOM_RESOURCE_ANSWER_BYTES = 4096
CUSTOM_RESOURCE_MARGIN_SECONDS = 20
CUSTOM_RESOURCE_SEND_SECONDS = 30

# -- headers --------------------------------------------------------------------------------------------------------
IMMUTABLE_CACHE_CONTROL = "public, max-age=31536000, immutable"
REVALIDATE_CACHE_CONTROL = "no-cache"
EDGE_TTL_SECONDS = 31_536_000
BUILD_HEADER = "x-build-id"
ROLE_HEADER = "x-bluegreen-role"
BUILD_METADATA = "build-id"
"""S3 user metadata; viewers and functions see `x-amz-meta-build-id`."""
DIGEST_METADATA = "sha256"
TARGET_METADATA = "written-to"
"""Of a manifest that a publish to several buckets wrote itself; one that replication brought says another bucket."""
FILE_DIGEST_METADATA = "file-sha256"
"""Of a precompressed variant: the digest of the file that it is a variant of."""

# -- cookies --------------------------------------------------------------------------------------------------------
VISITOR_COOKIE = "__Host-bg-visitor"
BUILD_COOKIE = "__Host-bg-build"
PREVIEW_COOKIE = "__Host-bg-preview"
VISITOR_COOKIE_MAX_AGE_SECONDS = 31_536_000
BUILD_COOKIE_MAX_AGE_SECONDS = 604_800

# -- routing --------------------------------------------------------------------------------------------------------
FULL_WEIGHT_BASIS_POINTS = 10_000
HOLDOUT_BASIS_POINTS = 500
ROUTING_KEY = "routing"
CONTROL_KEY = "control"
OUTCOME_KEY = "outcome"
"""How the last release went and why; read by the command line, written by the control plane."""
SECRET_KEY = "secret"  # noqa: S105  the key's name, not its value
BUILD_KEY_PREFIX = "build/"
KVS_VALUE_MAXIMUM_BYTES = 1024
KVS_KEY_MAXIMUM_BYTES = 512
WRITE_VERIFY_ATTEMPTS = 4
WRITE_VERIFY_PAUSE_SECONDS = 0.5

# -- rollout --------------------------------------------------------------------------------------------------------
CANARY_PERCENT = 10
CANARY_INTERVAL_MINUTES = 5
LINEAR_INTERVAL_MINUTES = 1
ROLLOUT_INTERVAL_MAXIMUM_MINUTES = 2880
BAKE_MINUTES = 5
BAKE_MAXIMUM_MINUTES = 55
"""CodeDeploy waits an hour for a hook; five minutes are kept for the sync that answers it."""
HOLDOUT_PERCENT = 5
HOLDOUT_MAXIMUM_PERCENT = 50
NO_TRAFFIC_PAGE_LOADS = 20
"""Below it a release that must have been seen is taken back: as few as the verdict judges by."""
NO_TRAFFIC_PAGE_LOADS_MAXIMUM = 1_000_000
SYNC_LOOP_SECONDS = 5
SYNC_RUN_SECONDS = 55
"""One run of the sync while a deployment is in progress; the schedule starts the next every minute."""
POLL_FLOOR_SECONDS = 0.5
"""Real seconds between two looks however much a rehearsal shortens time: each costs some calls."""
LAMBDA_MARGIN_SECONDS = 10
"""Of a function's time that are kept for its last words."""
DEPLOYMENTS_WATCHED_HOURS = 72
"""A deployment with both hooks ends within 50 hours."""
ROLLBACK_DEPLOYMENTS_LOOKED_AT = 20
HISTORY_DEPLOYMENTS = 50
"""Of the newest: CodeDeploy keeps them for years, and each costs two calls to be told in builds."""
SYNC_HEARTBEAT_METRIC = "SyncHeartbeat"
DRIFT_METRIC = "Drift"
EDGE_SHARE_METRIC = "CandidateSharePercentAtEdge"
ALIAS_SHARE_METRIC = "CandidateSharePercentOfAlias"
SYNC_METRICS = (SYNC_HEARTBEAT_METRIC, DRIFT_METRIC, EDGE_SHARE_METRIC, ALIAS_SHARE_METRIC)
VERIFY_WORKERS = 16
VERIFY_WAIT_MINUTES = 10
"""For quiet alarms, an empty window and the replicas; more where the verdict's window is longer."""
WINDOW_MARGIN_SECONDS = 60
"""CloudWatch's minutes are whole ones, and a report takes seconds to become a metric."""
RIGHTS_WAIT_SECONDS = 60
"""For rights that the deploy has just given, as for a new region's bucket, to be in force."""
HEAL_WAIT_MINUTES = 10
"""For what was healed to arrive in every region; within the quarter of an hour that the function has."""

# -- smoke fetch ----------------------------------------------------------------------------------------------------
SMOKE_FILES = 2_000
"""Of a candidate that are fetched through the distribution, in two or three encodings each. Their objects have all been
looked at in every region by then: what is left to show is the way to them, which files of a kind share."""
SMOKE_BODY_MAXIMUM_BYTES = 32 * 1024**2
"""Of a larger file only the headers are fetched."""
SMOKE_SECONDS = 180
"""Real ones: it is work, not waiting. What has not been asked for by then is left out."""
SMOKE_RETRY_MINUTES = 2
"""How long a wrong answer is asked for again: the edge keeps answers about missing files for ten seconds, and what is
written to the KeyValueStore takes seconds to get there."""
SMOKE_RETRY_FLOOR_SECONDS = 5.0
"""Real ones, however much a rehearsal shortens time."""
SMOKE_FAULTS = 20
"""Wrong answers until the rest is not asked for: few enough that the edge's share of errors raises no alarm."""
SMOKE_WORKERS = 16
SMOKE_TIMEOUT_SECONDS = 30

# -- verdict --------------------------------------------------------------------------------------------------------
METRIC_NAMESPACE = "BluegreenCdn"
VERDICT_PERIOD_SECONDS = 600
"""The window of the comparison. It slides by the minute, so its length gathers evidence and delays nothing: with half
of it, a build that breaks every second page of a site with ten page views a minute is caught in one release of six
instead of five of six, and false rollbacks are as rare (docs/verdict.md). A longer one dilutes what breaks late."""
VERDICT_PERIOD_MAXIMUM_SECONDS = 3600
VERDICT_MINIMUM_PAGE_LOADS = 20
"""Of the candidate in one period: a handful of visitors decides nothing. The test itself doubts small samples, too."""
VERDICT_MINIMUM_STABLE_PAGE_LOADS = 5
"""Far fewer than the candidate's, because at full weight stable keeps only the hold-out."""
BEACON_MAXIMUM_COUNT = 1
"""Of anything in one beacon: a page counts itself once, and each way to go wrong once."""
BEACON_LIMIT_REQUESTS = 300
BEACON_LIMIT_WINDOW_SECONDS = 300
"""Of one address, where a site asks for a limit: a page a second, which is an office and no visitor."""
CLIENT_SCRIPT_MAX_AGE_SECONDS = 300
VERDICT_Z_THRESHOLD = 4.0
"""Under half a percent of good releases are taken back at any traffic that was simulated (docs/verdict.md)."""
SLOWDOWN_RATIO = 1.5
"""How many times stable's share of slow page loads a candidate's may be: its new files come from no cache at first."""
SLOWDOWN_Z_THRESHOLD = 5.0
"""Higher than the verdict's: chance among stable's slow loads, weighted with the ratio, is more than the test knows."""
VERDICT_EVALUATION_PERIODS = 1
VERDICT_DATAPOINTS_TO_ALARM = 1

# -- tokens ---------------------------------------------------------------------------------------------------------
BEACON_TOKEN_LIFETIME_SECONDS = 86_400
PREVIEW_TOKEN_LIFETIME_SECONDS = 3_600

# -- calls to AWS ---------------------------------------------------------------------------------------------------
AWS_RETRY_ATTEMPTS = 6
CONFLICT_ATTEMPTS = 5
"""Of a conditional write, while S3 says that another write of the key is under way."""
AWS_CONNECT_TIMEOUT_SECONDS = 10
AWS_READ_TIMEOUT_SECONDS = 60

# -- example apps ---------------------------------------------------------------------------------------------------
NODE_VERSIONS = {20: 19, 22: 13, 24: 0}
"""Major versions of Node and the least minor version of each; what Vite, jsdom and the CDK CLI can all run on."""
EXAMPLE_BUILD_TIMEOUT_SECONDS = 300
