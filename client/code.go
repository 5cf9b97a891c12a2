package client

// Codes of errors on which programs act; docs/api.md has all of them. An Error's Code is one of them or another word.
const (
	CodeQueueNotFound      = "queue_not_found"
	CodeQueueExists        = "queue_exists"
	CodeQueueFull          = "queue_full"             // sends only: the queue holds max_length messages
	CodeKeyReused          = "idempotency_key_reused" // sends only: another send had this key
	CodeMessageNotFound    = "message_not_found"      // it was deleted before
	CodeReceiptSuperseded  = "receipt_superseded"     // another receive has returned the message since
	CodeMessageNotLeased   = "message_not_leased"     // the lease has ended, so that it can't be extended
	CodeUserExists         = "user_exists"            //
	CodeUserNotFound       = "user_not_found"         //
	CodeUserChanged        = "user_changed"           // by another request, while the password was checked
	CodeLastAdmin          = "last_admin"             // the last admin can't be deleted or become an ordinary user
	CodeAPIKeyNotFound     = "api_key_not_found"      //
	CodeMemberNotFound     = "member_not_found"       //
	CodeUnauthenticated    = "unauthenticated"        // no credential, or one that has ended
	CodeInvalidCredentials = "invalid_credentials"    // wrong user name or password
	CodeForbidden          = "forbidden"              // the user's role does not allow it
	CodeRegistrationClosed = "registration_closed"    // admins make the users
	CodeMajorityAtRisk     = "majority_at_risk"       // it could cost the cluster its majority
	CodeLimitReached       = "limit_reached"          //
	CodeNoLeader           = "no_leader"              // an election is under way, or a majority is down
	CodeOverloaded         = "overloaded"             // wait as long as RetryAfter says
	CodeTimeout            = "timeout"                //
	CodeDiskLow            = "disk_low"               // sends only, until there is room on a majority
)
