package fsm

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/fastqueue/fastqueue/fsm/fsmpb"
	"github.com/fastqueue/fastqueue/fsm/store"
)

func (m *model) login(p *fsmpb.Principal) *fsmpb.Result {
	u, _ := m.identify(p)
	if u == nil {
		return coded(CodeUserChanged)
	}
	if len(u.families) >= MaxFamiliesPerUser {
		m.endFamily(u.families[slices.Min(slices.Collect(maps.Keys(u.families)))])
	}
	f := &fsmpb.TokenFamily{
		Id: m.newID(), User: u.Id, UserName: u.Name, UserVersion: u.Version,
		Generation: 1, RotatedMs: m.now, Role: u.Role,
	}
	u.families[f.Id] = f
	m.due[familyDue(f)] = true
	return showFamily(f)
}

func showFamily(f *fsmpb.TokenFamily) *fsmpb.Result {
	return &fsmpb.Result{Value: &fsmpb.Result_Family{Family: proto.CloneOf(f)}}
}

func (m *model) family(user, id uint64) *fsmpb.TokenFamily {
	if u := m.byID(user); u != nil {
		return u.families[id]
	}
	return nil
}

func (m *model) refresh(c *fsmpb.RefreshToken) *fsmpb.Result {
	f := m.family(c.User, c.Family)
	if f == nil {
		return coded(CodeRefreshInvalid)
	}
	recent := slices.DeleteFunc(slices.Clone(f.Recent), func(r *fsmpb.Rotation) bool {
		return m.now-r.RotatedMs > RefreshGrace.Milliseconds()
	})
	if c.Generation == f.Generation {
		delete(m.due, familyDue(f))
		f.Generation++
		f.RotatedMs, f.Role = m.now, m.byID(f.User).Role
		if len(recent) == maxRecentRotations {
			recent = recent[1:]
		}
		f.Recent = append(recent, &fsmpb.Rotation{Generation: f.Generation, RotatedMs: m.now})
		m.due[familyDue(f)] = true
		return showFamily(f)
	}
	for _, r := range recent {
		if r.Generation == c.Generation+1 { // the same answer again
			shown := showFamily(f)
			shown.GetFamily().Generation, shown.GetFamily().RotatedMs = r.Generation, r.RotatedMs
			return shown
		}
	}
	m.endFamily(f)
	return coded(CodeRefreshReused)
}

// endFamily ends a log-in, and its access tokens as long as they would be good.
func (m *model) endFamily(f *fsmpb.TokenFamily) {
	if f == nil {
		return
	}
	m.dropFamily(f)
	d := store.Due{At: f.RotatedMs + AccessTokenLife.Milliseconds(), Kind: store.DueEnded, Owner: f.User, Sequence: f.Id}
	if d.At > m.now {
		m.ended[f.Id] = d.At
		m.due[d] = true
	}
}

func (m *model) dropFamily(f *fsmpb.TokenFamily) {
	delete(m.due, familyDue(f))
	delete(m.byID(f.User).families, f.Id)
}

func (m *model) familyDue(d store.Due) {
	if f := m.family(d.Owner, d.Sequence); f != nil && familyDeadline(f) == d.At {
		m.dropFamily(f)
	}
}
