package fsm

import "time"

// Everything has a limit, and the limits stand here. The edge checks them before a command enters the log; Apply those that
// depend on the state.
const (
	MaxMessageBytes = 1 << 20 // body and attributes of one message, and all messages of one batch together
	MaxBatchEntries = 10
	MaxAttributes   = 10
	MaxReceive      = 10      // messages that one receive returns
	MaxReceiveBytes = 1 << 20 // their contents together; the first message is always returned

	MaxQueueNameBytes = 80
	MaxUserNameBytes  = 128

	MinQueueLength = 1
	MaxQueueLength = 100_000_000

	MaxVisibilityTimeout = 43_200 * time.Second
	MaxWait              = 20 * time.Second
	MaxDelay             = 900 * time.Second

	DefaultMaxLength         = 10_000
	DefaultVisibilityTimeout = 30 * time.Second

	MaxQueues          = 100_000
	MaxLeasesPerQueue  = 1_000_000 // messages that are received and not deleted; a receive beyond it is refused
	MaxUsers           = 10_000
	MaxFamiliesPerUser = 100 // log-ins that can be refreshed; one more ends the oldest
	MaxAPIKeysPerUser  = 100 // expired ones count until they are deleted
	MaxJoinKeys        = 100
	MaxMembers         = 15      // checked by the leader when it admits one
	MaxWaiters         = 100_000 // receives that wait on the leader at once, long polls of all nodes together; checked there

	MaxAPIKeyNameBytes = 128
	MaxAPIKeyDays      = 36_500 // of a key that expires; also keeps its time in the years that RFC 3339 can write

	AccessTokenLife  = 15 * time.Minute
	RefreshTokenLife = 7 * 24 * time.Hour
	RefreshGrace     = 10 * time.Second // a refresh token used twice within it gets the same answer

	// RememberFor is how long, in the state's time, the answer to a command is remembered for the case that it comes again.
	RememberFor = 10 * time.Minute
	// MaxIdempotencyKeys of one user are remembered; one more forgets the oldest.
	MaxIdempotencyKeys = 10_000
	// MaxSessionResults of one session are remembered; more forget the oldest, whose commands are stale then. They are in
	// memory, too, about 150 bytes each.
	MaxSessionResults = 65_536

	MaxLanes = 2 // sessions of one member

	MaxIdempotencyKeyBytes = 128

	// maxEndedKnown bounds the memory for families that were ended early; what is beyond it is looked up in the store.
	maxEndedKnown = 100_000

	// maxAPIKeysKnown bounds the memory for API keys in use, about 400 bytes each.
	maxAPIKeysKnown = 4_096

	// maxDuePerEntry bounds the work that one log entry does for time that has passed (see advance).
	maxDuePerEntry = 1_000
)
