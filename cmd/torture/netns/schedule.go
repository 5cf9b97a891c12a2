package netns

import "time"

// parcel is a packet underway.
type parcel struct {
	due    time.Time
	number uint64 // packets that are due together arrive in the order of their numbers
	packet []byte
}

// schedule is a heap of parcels, the next one first.
type schedule []parcel

func (s schedule) Len() int      { return len(s) }
func (s schedule) Swap(i, j int) { s[i], s[j] = s[j], s[i] }

func (s schedule) Less(i, j int) bool {
	if !s[i].due.Equal(s[j].due) {
		return s[i].due.Before(s[j].due)
	}
	return s[i].number < s[j].number
}

func (s *schedule) Push(x any) { *s = append(*s, x.(parcel)) }

func (s *schedule) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}
