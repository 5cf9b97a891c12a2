package store

import "encoding/binary"

// The key space. One byte of table, then fields; numbers are big-endian, so that keys sort as numbers do. The table of
// byte 0x00 is the store's own (position and format); all others are written by package fsm, each as named here.
//
//	table  key                              value                  written by
//	'a'    SHA-256 of the key               fsmpb.APIKey           create, delete and first use in an hour of an API key
//	'b'    user id, key id                  SHA-256 of the key     create_api_key, delete_api_key, delete_user
//	'c'    -                                fsmpb.Cluster          init_cluster, put_join_key, remove_join_key
//	'd'    due ms, kind, owner, sequence    empty                  receive and send with delay; login, refresh, logout;
//	                                                               create and first use in an hour of an API key
//	'e'    family id                        due ms                 logout, refresh, login: a family that ended early
//	'f'    user id, family id               fsmpb.TokenFamily      login, refresh
//	'h'    scope id, place                  RememberedResults      commands of sessions; sends with an idempotency key
//	'i'    user id, queue id, key           place under 'h'        sends with an idempotency key
//	'k'    key id                           fsmpb.SigningKey       init_cluster
//	'm'    queue id, sequence               fsmpb.Message          send; never changed
//	'n'    -                                clock, next id, hash,  every entry
//	                                        first due time
//	'o'    scope id                         fsmpb.Scope            what is under 'h', once per batch; register_session
//	'p'    member id                        fsmpb.Member           init_cluster, put_member, remove_member
//	'q'    queue name                       fsmpb.Queue            every command on the queue, once per batch
//	'r'    queue id, class, sequence        delivery state         a message that is ready
//	's'    queue id, sequence               delivery state         a message that is leased or delayed
//	'u'    user name                        fsmpb.User             every command on the user, its log-ins and its keys
//
// A message has its delivery state under 'r' while it is ready and under 's' while it is not, never under both. Keys
// under 'd' are hints: whoever reads one looks at the record it points to, so that deleting a queue may leave them behind.
// The class orders deliveries inside a queue; 0 is the only one so far (priorities will be 255 minus the priority).
const (
	tableAPIKey    = 'a'
	tableAPIKeyOf  = 'b'
	tableCluster   = 'c'
	tableDue       = 'd'
	tableEnded     = 'e'
	tableFamily    = 'f'
	tableResult    = 'h'
	tableResultOf  = 'i'
	tableKey       = 'k'
	tableMessage   = 'm'
	tableClock     = 'n'
	tableScope     = 'o'
	tableMember    = 'p'
	tableQueue     = 'q'
	tableReady     = 'r'
	tableUnready   = 's'
	tableUser      = 'u'
	tableAfterLast = 'z'
)

// DueKind says what a key under 'd' points to.
type DueKind byte

// Kinds of due work, in the order in which they are done when they are due in the same millisecond.
const (
	DueMessage DueKind = 1 // a lease that ends or a delay that is over: owner is the queue's id
	DueFamily  DueKind = 2 // a family of refresh tokens that ends: owner is the user's id, sequence the family's
	DueEnded   DueKind = 3 // the last access token of a family that ended early expires: owner and sequence as before
	// DueClock moves the clock on and nothing else: a key expires (owner is the user's id, sequence the key's), or an hour
	// begins (both 0). Without it a cluster that is only read would not notice.
	DueClock DueKind = 4
	// DueResult is the end of the oldest remembered results of a scope: owner is the scope's id.
	DueResult DueKind = 5
)

// Due is one key under 'd'.
type Due struct {
	At       int64 // milliseconds of state-machine time
	Kind     DueKind
	Owner    uint64
	Sequence uint64
}

// Before orders due work as its keys are ordered.
func (d Due) Before(o Due) bool {
	if d.At != o.At {
		return d.At < o.At
	}
	if d.Kind != o.Kind {
		return d.Kind < o.Kind
	}
	if d.Owner != o.Owner {
		return d.Owner < o.Owner
	}
	return d.Sequence < o.Sequence
}

// Key is the key of this due work.
func (d Due) Key() []byte {
	b := make([]byte, 1, 26)
	b[0] = tableDue
	b = binary.BigEndian.AppendUint64(b, uint64(d.At))
	b = append(b, byte(d.Kind))
	b = binary.BigEndian.AppendUint64(b, d.Owner)
	return binary.BigEndian.AppendUint64(b, d.Sequence)
}

// ParseDue reads a key under 'd'.
func ParseDue(key []byte) Due {
	return Due{
		At:       int64(binary.BigEndian.Uint64(key[1:])),
		Kind:     DueKind(key[9]),
		Owner:    binary.BigEndian.Uint64(key[10:]),
		Sequence: binary.BigEndian.Uint64(key[18:]),
	}
}

// DueEnd is the upper bound of a scan over all due work.
func DueEnd() []byte { return []byte{tableDue + 1} }

// ClusterKey is the key of the cluster record.
func ClusterKey() []byte { return []byte{tableCluster} }

// ClockKey is the key of the state clock and the next id.
func ClockKey() []byte { return []byte{tableClock} }

// APIKey is the key of one API key, by its SHA-256.
func APIKey(hash []byte) []byte { return append([]byte{tableAPIKey}, hash...) }

// APIKeyOf is the key under which the hash of a user's API key stands.
func APIKeyOf(user, key uint64) []byte { return pair(tableAPIKeyOf, user, key) }

// APIKeysOf bounds a scan over the API keys of one user whose ids come after one, oldest first.
func APIKeysOf(user, after uint64) (lower, upper []byte) {
	_, upper = owned(tableAPIKeyOf, user)
	return append(APIKeyOf(user, after), 0), upper
}

// APIKeyID is the key id that a key of APIKeyOf ends with.
func APIKeyID(key []byte) uint64 { return binary.BigEndian.Uint64(key[9:]) }

// EndedKey is the key of a family of refresh tokens that ended early.
func EndedKey(family uint64) []byte { return binary.BigEndian.AppendUint64([]byte{tableEnded}, family) }

// EndedFamily is the family that a key of EndedKey names.
func EndedFamily(key []byte) uint64 { return binary.BigEndian.Uint64(key[1:]) }

// Ended bounds a scan over all families that ended early.
func Ended() (lower, upper []byte) { return table(tableEnded) }

// SigningKey is the key of one signing key.
func SigningKey(id string) []byte { return append([]byte{tableKey}, id...) }

// SigningKeys bounds a scan over all signing keys.
func SigningKeys() (lower, upper []byte) { return table(tableKey) }

// ScopeKey is the key of one scope of remembered results.
func ScopeKey(scope uint64) []byte { return binary.BigEndian.AppendUint64([]byte{tableScope}, scope) }

// Scopes bounds a scan over all scopes.
func Scopes() (lower, upper []byte) { return table(tableScope) }

// ResultKey is the key of one record of remembered results.
func ResultKey(scope, place uint64) []byte { return pair(tableResult, scope, place) }

// Results bounds a scan over the remembered results of one scope, oldest first.
func Results(scope uint64) (lower, upper []byte) { return owned(tableResult, scope) }

// ResultOfKey is the key under which the place of a named result stands.
func ResultOfKey(scope uint64, name []byte) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{tableResultOf}, scope), name...)
}

// ResultsOf bounds a scan over the named results of one scope.
func ResultsOf(scope uint64) (lower, upper []byte) { return owned(tableResultOf, scope) }

// MemberKey is the key of one member.
func MemberKey(id string) []byte { return append([]byte{tableMember}, id...) }

// Members bounds a scan over all members.
func Members() (lower, upper []byte) { return table(tableMember) }

// UserKey is the key of one user.
func UserKey(name string) []byte { return append([]byte{tableUser}, name...) }

// Users bounds a scan over all users.
func Users() (lower, upper []byte) { return table(tableUser) }

// UsersAfter bounds a scan over the users whose names come after this one.
func UsersAfter(name string) (lower, upper []byte) {
	return append(UserKey(name), 0), []byte{tableUser + 1}
}

// FamilyKey is the key of one family of refresh tokens.
func FamilyKey(user, family uint64) []byte { return pair(tableFamily, user, family) }

// Families bounds a scan over the families of one user, oldest first.
func Families(user uint64) (lower, upper []byte) { return owned(tableFamily, user) }

// QueueKey is the key of one queue.
func QueueKey(name string) []byte { return append([]byte{tableQueue}, name...) }

// Queues bounds a scan over all queues.
func Queues() (lower, upper []byte) { return table(tableQueue) }

// QueuesAfter bounds a scan over the queues whose names come after this one.
func QueuesAfter(name string) (lower, upper []byte) {
	return append(QueueKey(name), 0), []byte{tableQueue + 1}
}

// MessageKey is the key of the unchanging part of one message.
func MessageKey(queue, sequence uint64) []byte { return pair(tableMessage, queue, sequence) }

// Messages bounds a scan over the messages of one queue.
func Messages(queue uint64) (lower, upper []byte) { return owned(tableMessage, queue) }

// UnreadyKey is the key of the delivery state of a leased or delayed message.
func UnreadyKey(queue, sequence uint64) []byte { return pair(tableUnready, queue, sequence) }

// Unready bounds a scan over the leased and delayed messages of one queue.
func Unready(queue uint64) (lower, upper []byte) { return owned(tableUnready, queue) }

// ReadyKey is the key of the delivery state of a ready message.
func ReadyKey(queue uint64, class byte, sequence uint64) []byte {
	b := make([]byte, 1, 18)
	b[0] = tableReady
	b = binary.BigEndian.AppendUint64(b, queue)
	b = append(b, class)
	return binary.BigEndian.AppendUint64(b, sequence)
}

// ReadySequence is the sequence that a key of ReadyKey ends with.
func ReadySequence(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }

// Ready bounds a scan over the ready messages of one queue.
func Ready(queue uint64) (lower, upper []byte) { return owned(tableReady, queue) }

// State bounds a scan over everything that package fsm wrote.
func State() (lower, upper []byte) { return []byte{1}, []byte{tableAfterLast} }

func table(t byte) (lower, upper []byte) { return []byte{t}, []byte{t + 1} }

func pair(t byte, a, b uint64) []byte {
	k := make([]byte, 1, 17)
	k[0] = t
	k = binary.BigEndian.AppendUint64(k, a)
	return binary.BigEndian.AppendUint64(k, b)
}

func owned(t byte, id uint64) (lower, upper []byte) {
	lower = binary.BigEndian.AppendUint64([]byte{t}, id)
	upper = binary.BigEndian.AppendUint64([]byte{t}, id+1)
	return lower, upper
}
