package fsm

import "time"

// Everything has a limit, and the limits stand here. The edge checks them before a command enters the log; Apply those that
// depend on the state.
const (
	MaxMessageBytes = 1 << 20 // body and attributes of one message, and all messages of one batch together
	MaxBatchEntries = 10
	MaxAttributes   = 10
	MaxReceive      = 10      // messages that one receive returns
	MaxReceiveBytes = 4 << 20 // their contents together; the first message is always returned

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
	MaxUsers           = 10_000
	MaxFamiliesPerUser = 100 // log-ins that can be refreshed; one more ends the oldest

	AccessTokenLife  = 15 * time.Minute
	RefreshTokenLife = 7 * 24 * time.Hour
	RefreshGrace     = 10 * time.Second // a refresh token used twice within it gets the same answer

	// maxDuePerEntry bounds the work that one log entry does for time that has passed (see advance).
	maxDuePerEntry = 1_000
)
