package fsm

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

// TestScenarios runs the conversations in testdata: commands, and under each what the state machine answers. Time is
// virtual. Every file is tested four times: as it is, replayed in one batch with the smallest window, with the state
// opened again after each command, and carried to another replica through a checkpoint half-way. All must end with the
// same bytes under the same keys.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := newScenario(t)
			if got := s.run(string(text)); got != string(text) {
				t.Errorf("%s says\n%s", file, firstDifference(got, string(text)))
			}
			want := contents(s.fsm)
			if got := contents(replayAtOnce(t, s.logs)); got != want {
				t.Errorf("replayed in one batch the state is\n%s", firstDifference(got, want))
			}
			if got := contents(replayReopened(t, s.logs)); got != want {
				t.Errorf("opened again after each command the state is\n%s", firstDifference(got, want))
			}
			if got := contents(replayInstalled(t, s.logs)); got != want {
				t.Errorf("carried over by a checkpoint the state is\n%s", firstDifference(got, want))
			}
		})
	}
}

func replayAtOnce(t *testing.T, logs []*raft.Log) *FSM {
	f := openTestFSM(t, vfs.NewMem(), 1)
	f.ApplyBatch(logs)
	return f
}

func replayReopened(t *testing.T, logs []*raft.Log) *FSM {
	fs := vfs.NewMem()
	f := openTestFSM(t, fs, 2)
	for _, l := range logs {
		f.Apply(l)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		f = openTestFSM(t, fs, 2)
	}
	return f
}

func replayInstalled(t *testing.T, logs []*raft.Log) *FSM {
	from, to := openTestFSM(t, vfs.NewMem(), 512), openTestFSM(t, vfs.NewMem(), 512)
	half := len(logs) / 2
	from.ApplyBatch(logs[:half])
	install(t, from, to)
	to.ApplyBatch(logs[half:])
	return to
}

// install carries the state of one replica to another as raft does.
func install(t rapid.TB, from, to *FSM) {
	t.Helper()
	meta, stream, err := from.Snapshots().Open("live")
	if err != nil {
		metas, listErr := from.Snapshots().List()
		if listErr != nil || len(metas) != 1 {
			t.Fatalf("snapshots: %v, %v, %v", metas, listErr, err)
		}
		if meta, stream, err = from.Snapshots().Open(metas[0].ID); err != nil {
			t.Fatal(err)
		}
	}
	sink, err := to.Snapshots().Create(meta.Version, meta.Index, meta.Term, meta.Configuration, meta.ConfigurationIndex, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(stream); err != nil {
		t.Fatal(err)
	}
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := sink.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	_, received, err := to.Snapshots().Open(sink.ID())
	if err != nil {
		t.Fatal(err)
	}
	if err := to.Restore(received); err != nil {
		t.Fatal(err)
	}
}

func openTestFSM(t rapid.TB, fs vfs.FS, window int) *FSM {
	t.Helper()
	f, err := Open("state", Options{FS: fs, ReadyWindow: window, Fatal: func(err error) { t.Fatalf("fatal: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// contents lists every key and a hash of its value, in order.
func contents(f *FSM) string {
	r := f.Store().NewReader()
	defer r.Close()
	var b strings.Builder
	lower, upper := store.State()
	r.Scan(lower, upper, func(key, value []byte) bool {
		fmt.Fprintf(&b, "%q %x\n", key, sha256.Sum256(value))
		return true
	})
	return b.String()
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		a, b := "(nothing)", "(nothing)"
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			return fmt.Sprintf("line %d:\n got  %s\n want %s", i+1, a, b)
		}
	}
	return "the same"
}

// scenario is one conversation with a state machine.
type scenario struct {
	t        *testing.T
	fsm      *FSM
	logs     []*raft.Log
	now      int64
	admin    *fsmpb.Principal
	caller   *fsmpb.Principal  // of the present command
	session  *fsmpb.Session    // of the present command, or nil
	epochs   []uint64          // e1 is the first
	messages map[string]string // "queue id/sequence" -> m1, m2, ...
	receipts []*fsmpb.Receipt  // r1 is the first
	families []*fsmpb.TokenFamily
	keys     []*fsmpb.APIKey // k1 is the first
}

func newScenario(t *testing.T) *scenario {
	s := &scenario{t: t, fsm: openTestFSM(t, vfs.NewMem(), 512), now: 1_000_000, messages: map[string]string{}}
	s.apply(&fsmpb.Command{Op: &fsmpb.Command_InitCluster{InitCluster: &fsmpb.InitCluster{
		Cluster:    &fsmpb.Cluster{Id: "c1", ReceiptKey: []byte("receipt key")},
		SigningKey: &fsmpb.SigningKey{Id: "k1", Secret: []byte("secret")},
		AdminName:  "admin", AdminPasswordHash: "hash",
		Member: &fsmpb.Member{Id: "n1-1", Name: "n1"},
	}}})
	s.admin = &fsmpb.Principal{User: 1, Version: 1, Name: "admin"}
	s.caller = s.admin
	return s
}

func (s *scenario) apply(c *fsmpb.Command) *fsmpb.Result {
	s.t.Helper()
	c.Session = s.session
	command, err := proto.Marshal(c)
	if err != nil {
		s.t.Fatal(err)
	}
	data, err := proto.Marshal(&fsmpb.Entry{NowMs: s.now, Commands: [][]byte{command}})
	if err != nil {
		s.t.Fatal(err)
	}
	l := &raft.Log{Index: uint64(len(s.logs) + 1), Term: 1, Type: raft.LogCommand, Data: data}
	s.logs = append(s.logs, l)
	return s.fsm.Apply(l).([]*fsmpb.Result)[0]
}

// run answers each command of the text: everything up to "----" is said, what follows up to the empty line is expected.
func (s *scenario) run(text string) string {
	var out strings.Builder
	for block := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n\n") {
		if out.Len() > 0 {
			out.WriteString("\n")
		}
		commands, _, found := strings.Cut(block, "----")
		out.WriteString(commands)
		if !found {
			out.WriteString("\n")
			continue
		}
		out.WriteString("----\n")
		for line := range strings.SplitSeq(strings.TrimSpace(commands), "\n") {
			if !strings.HasPrefix(line, "#") {
				out.WriteString(s.command(line))
			}
		}
	}
	return out.String()
}

// arguments of one command: words and name=value options.
type arguments struct {
	words   []string
	options map[string]string
}

func parseArguments(line string) arguments {
	a := arguments{options: map[string]string{}}
	for _, f := range strings.Fields(line) {
		if name, value, ok := strings.Cut(f, "="); ok {
			a.options[name] = value
		} else {
			a.words = append(a.words, strings.Trim(f, `"`))
		}
	}
	return a
}

func (s *scenario) number(a arguments, name string, otherwise uint64) uint64 {
	v, ok := a.options[name]
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		s.t.Fatalf("%s=%s: %v", name, v, err)
	}
	return n
}

func (s *scenario) seconds(a arguments, name string) *uint32 {
	v, ok := a.options[name]
	if !ok {
		return nil
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		s.t.Fatalf("%s=%s: %v", name, v, err)
	}
	return proto.Uint32(uint32(d / time.Second))
}

// command carries out one line. With as=NAME somebody else than the admin says it. With session=e1 number=N it is the N-th
// command of a session, in which open=N is the lowest one that may come again.
func (s *scenario) command(line string) string {
	if times, line, ok := strings.Cut(strings.TrimPrefix(line, "repeat "), " "); ok && strings.HasPrefix(times, "0..") {
		return s.repeat(strings.TrimPrefix(times, "0.."), line)
	}
	a := parseArguments(line)
	verb, args := a.words[0], a.words[1:]
	s.caller = s.admin
	if name, ok := a.options["as"]; ok {
		s.caller = s.principal(name)
	}
	s.session = s.sessionOf(a)
	switch verb {
	case "session":
		return s.registerSession(args[0], a)
	case "tick":
		return s.tick(args[0])
	case "show":
		return s.show(args[0])
	case "create-queue":
		return s.outcome(&fsmpb.Command{Op: &fsmpb.Command_CreateQueue{CreateQueue: &fsmpb.CreateQueue{
			Name: args[0], Settings: &fsmpb.QueueSettings{
				MaxLength:          s.number(a, "max", DefaultMaxLength),
				VisibilityTimeoutS: *s.visibility(a),
			},
		}}})
	case "update-queue":
		c := &fsmpb.UpdateQueue{Name: args[0], VisibilityTimeoutS: s.seconds(a, "visibility")}
		if _, ok := a.options["max"]; ok {
			c.MaxLength = proto.Uint64(s.number(a, "max", 0))
		}
		return s.outcome(&fsmpb.Command{Op: &fsmpb.Command_UpdateQueue{UpdateQueue: c}})
	case "delete-queue":
		return s.outcome(&fsmpb.Command{Op: &fsmpb.Command_DeleteQueue{DeleteQueue: &fsmpb.DeleteQueue{Name: args[0]}}})
	case "purge-queue":
		return s.outcome(&fsmpb.Command{Op: &fsmpb.Command_PurgeQueue{PurgeQueue: &fsmpb.PurgeQueue{Name: args[0]}}})
	case "change-visibility":
		return s.changeVisibility(args[0], args[1:], a)
	case "send":
		return s.send(args[0], args[1:], a)
	case "receive":
		return s.receive(args[0], a)
	case "delete":
		return s.deleteMessages(args[0], args[1:])
	case "release":
		return s.outcome(&fsmpb.Command{Op: &fsmpb.Command_ReleaseMessage{ReleaseMessage: &fsmpb.ReleaseMessage{Receipts: s.named(args)}}})
	default:
		return s.userCommand(verb, args, a)
	}
}

func (s *scenario) visibility(a arguments) *uint32 {
	if v := s.seconds(a, "visibility"); v != nil {
		return v
	}
	return proto.Uint32(30)
}

// outcome applies a command of the caller and says "ok" or the refusal's code.
func (s *scenario) outcome(c *fsmpb.Command) string {
	c.Principal = s.caller
	if r := s.apply(c); r.Error != nil {
		return "error " + r.Error.Code + "\n"
	}
	return "ok\n"
}

func (s *scenario) tick(by string) string {
	d, err := time.ParseDuration(by)
	if err != nil {
		s.t.Fatal(err)
	}
	s.now += d.Milliseconds()
	return s.outcome(&fsmpb.Command{Op: &fsmpb.Command_Tick{Tick: &fsmpb.Tick{}}})
}

func (s *scenario) show(queue string) string {
	v := s.fsm.View()
	defer v.Close()
	queues, _ := v.Queues("", MaxQueues)
	for _, q := range queues {
		if q.Name == queue {
			return fmt.Sprintf("ready=%d leased=%d delayed=%d\n", q.Ready, q.Leased, q.Delayed)
		}
	}
	return "no such queue\n"
}

func (s *scenario) registerSession(member string, a arguments) string {
	r := s.apply(&fsmpb.Command{Op: &fsmpb.Command_RegisterSession{RegisterSession: &fsmpb.RegisterSession{
		Member: member, Lane: uint32(s.number(a, "lane", 0)), Nonce: a.options["nonce"],
	}}})
	if r.Error != nil {
		return "error " + r.Error.Code + "\n"
	}
	epoch := r.GetSession().Epoch
	if !slices.Contains(s.epochs, epoch) {
		s.epochs = append(s.epochs, epoch)
	}
	return fmt.Sprintf("e%d\n", slices.Index(s.epochs, epoch)+1)
}

func (s *scenario) sessionOf(a arguments) *fsmpb.Session {
	name, ok := a.options["session"]
	if !ok {
		return nil
	}
	n, err := strconv.Atoi(strings.TrimPrefix(name, "e"))
	if err != nil || n > len(s.epochs) {
		s.t.Fatalf("there is no session %q", name)
	}
	return &fsmpb.Session{Epoch: s.epochs[n-1], Number: s.number(a, "number", 0), LowestOpen: s.number(a, "open", 0)}
}

// remembered says whether a result is that of an earlier command.
func remembered(r *fsmpb.Result) string {
	if r.Remembered == fsmpb.Remembered_NOT_REMEMBERED {
		return ""
	}
	return "remembered "
}

func (s *scenario) send(queue string, bodies []string, a arguments) string {
	c := &fsmpb.SendMessage{Queue: queue}
	for _, body := range bodies {
		content, err := proto.Marshal(&fsmpb.Content{Body: body})
		if err != nil {
			s.t.Fatal(err)
		}
		m := &fsmpb.NewMessage{Content: content}
		if d := s.seconds(a, "delay"); d != nil {
			m.DelayS = *d
		}
		c.Messages = append(c.Messages, m)
	}
	if key, ok := a.options["key"]; ok {
		hash := sha256.Sum256([]byte(strings.Join(bodies, " ")))
		c.IdempotencyKey = &fsmpb.IdempotencyKey{Key: key, RequestHash: hash[:]}
	}
	r := s.apply(&fsmpb.Command{Principal: s.caller, Op: &fsmpb.Command_SendMessage{SendMessage: c}})
	if r.Error != nil {
		return "error " + r.Error.Code + "\n"
	}
	var out strings.Builder
	for _, m := range r.GetSend().Messages {
		if m.Error != nil {
			out.WriteString("error " + m.Error.Code + "\n")
			continue
		}
		id := fmt.Sprint(r.GetSend().Queue, "/", m.Sequence)
		if s.messages[id] == "" {
			s.messages[id] = fmt.Sprintf("m%d", len(s.messages)+1)
		}
		out.WriteString(remembered(r) + s.messages[id] + "\n")
	}
	return out.String()
}

func (s *scenario) receive(queue string, a arguments) string {
	c := &fsmpb.ReceiveMessage{Queue: queue, Delete: s.named(strings.FieldsFunc(a.options["delete"], func(r rune) bool { return r == ',' })), Max: uint32(s.number(a, "max", 1)), VisibilityTimeoutS: s.seconds(a, "visibility")}
	r := s.apply(&fsmpb.Command{Principal: s.caller, Op: &fsmpb.Command_ReceiveMessage{ReceiveMessage: c}})
	if r.Error != nil {
		return "error " + r.Error.Code + "\n"
	}
	s.fsm.FillMessages(r.GetReceive())
	var out strings.Builder
	out.WriteString(codes(r.GetReceive().DeleteErrors))
	for _, d := range r.GetReceive().Deliveries {
		s.receipts = append(s.receipts, &fsmpb.Receipt{Queue: r.GetReceive().Queue, Sequence: d.Sequence, Delivery: d.Delivery})
		content := &fsmpb.Content{}
		if err := proto.Unmarshal(d.Message.Content, content); err != nil {
			s.t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s%s %q receipt=r%d count=%d lease=%s\n", remembered(r),
			s.messages[fmt.Sprint(r.GetReceive().Queue, "/", d.Sequence)], content.Body, len(s.receipts), d.Count,
			time.Duration(d.DeadlineMs-s.now)*time.Millisecond)
	}
	if out.Len() == 0 {
		return "nothing\n"
	}
	return out.String()
}

// named finds receipts by the names that the scenario gave them.
func (s *scenario) named(names []string) (receipts []*fsmpb.Receipt) {
	for _, name := range names {
		n, err := strconv.Atoi(strings.TrimPrefix(name, "r"))
		if err != nil || n > len(s.receipts) {
			s.t.Fatalf("there is no receipt %q", name)
		}
		receipts = append(receipts, s.receipts[n-1])
	}
	return receipts
}

func (s *scenario) deleteMessages(queue string, names []string) string {
	c := &fsmpb.DeleteMessage{Queue: queue, Receipts: s.named(names)}
	r := s.apply(&fsmpb.Command{Principal: s.caller, Op: &fsmpb.Command_DeleteMessage{DeleteMessage: c}})
	if r.Error != nil {
		return "error " + r.Error.Code + "\n"
	}
	return remembered(r) + codes(r.GetDelete().Errors)
}

// codes says what became of each part of a command.
func codes(errors []*fsmpb.Error) string {
	var out strings.Builder
	for _, e := range errors {
		if e.Code == "" {
			out.WriteString("ok\n")
		} else {
			out.WriteString("error " + e.Code + "\n")
		}
	}
	return out.String()
}

func (s *scenario) changeVisibility(queue string, names []string, a arguments) string {
	c := &fsmpb.ChangeVisibility{Queue: queue}
	for _, r := range s.named(names) {
		c.Changes = append(c.Changes, &fsmpb.VisibilityChange{Receipt: r, VisibilityTimeoutS: *s.seconds(a, "visibility")})
	}
	r := s.apply(&fsmpb.Command{Principal: s.caller, Op: &fsmpb.Command_ChangeVisibility{ChangeVisibility: c}})
	if r.Error != nil {
		return "error " + r.Error.Code + "\n"
	}
	return codes(r.GetChangeVisibility().Errors)
}
