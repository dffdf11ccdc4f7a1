// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	imagev1alpha1 "github.com/image-catalog/image-catalog-operator/api/v1alpha1"
	"github.com/image-catalog/image-catalog-operator/controllers/catalog/cvm/cvmtest"
	"github.com/image-catalog/image-catalog-operator/hack/test/apiproxy"
)

var (
	soakFor  = flag.Duration("soak", 0, "how long TestSoak goes on; 0 is a small one of half a minute")
	soakSeed = flag.Uint64("seed", 1, "chooses what happens in TestSoak")
)

// soakRegions are regions that the simulator knows and the soak test fills.
var soakRegions = []string{
	"ap-guangzhou", "ap-shanghai", "ap-beijing", "ap-nanjing", "ap-chengdu", "ap-chongqing", "ap-hongkong", "ap-singapore", "ap-tokyo",
	"eu-frankfurt",
}

// soak is a world with random events.
type soak struct {
	*world
	random *rand.Rand

	// names are the queries, and regions their regions. Names of a query's images begin with its name.
	names   []string
	regions map[string]string

	mu sync.Mutex
	// gone are images that were deleted from the cloud. Ids are not reused.
	gone map[string]bool
	// alive are the images that a query has in the cloud.
	alive map[string][]string
	made  int

	counts   map[string]int
	restarts []time.Time
}

// The incidents of a day in minutes: images are created and deleted, the cloud and the API server fail in every way,
// processes are killed. No invariant is violated meanwhile, and at the end everything agrees.
func TestSoak(t *testing.T) {
	queries, images, duration := 20, 500, 30*time.Second
	if *soakFor > 0 {
		queries, images, duration = 200, 5000, *soakFor
	}
	s := &soak{
		world: begin(t, 0), random: rand.New(rand.NewPCG(*soakSeed, 8)), regions: map[string]string{},
		gone: map[string]bool{}, alive: map[string][]string{}, counts: map[string]int{},
	}
	s.fill(queries, images)
	s.start()
	s.untilAllSynced(queries)
	t.Logf("seed %d: %d queries of %d images are synced", *soakSeed, queries, images)

	watch, stop := context.WithCancel(t.Context())
	var watchers sync.WaitGroup
	watchers.Go(func() { s.watchObjects(watch) })
	watchers.Go(func() { s.watchSelected(watch) })
	var samples []sample
	for began := time.Now(); time.Since(began) < duration; {
		// Processes are killed only in the first half: in the second, memory must not grow.
		s.act(time.Since(began) < duration/2)
		if len(samples) == 0 || time.Since(samples[len(samples)-1].at) > duration/60 {
			samples = append(samples, s.sample())
		}
		<-time.After(150 * time.Millisecond)
	}
	s.end(queries)
	stop()
	watchers.Wait()
	s.flat(samples)
	s.frugal()
	s.report(samples)
}

// fill creates queries and their images.
func (s *soak) fill(queries, images int) {
	s.t.Helper()
	for i := range queries {
		name := fmt.Sprintf("q%03d", i)
		s.names = append(s.names, name)
		s.regions[name] = soakRegions[i%len(soakRegions)]
		var batch []cvmtest.Image
		for range images / queries {
			batch = append(batch, s.next(name))
		}
		s.cloud.Put(s.regions[name], batch...)
		query := &imagev1alpha1.ImageQuery{}
		policy := []string{"All", "All", "All", "Selected"}[i%4]
		spec := fmt.Sprintf(`{"metadata":{"name":%q},"spec":{"region":%q,"interval":"1m","match":{"nameRegex":"^%s-"},`+
			`"removal":{"gracePeriod":"5s"},"cloudImages":{"policy":%q,"maxImages":500}}}`, name, s.regions[name], name, policy)
		if err := json.Unmarshal([]byte(spec), query); err != nil {
			s.t.Fatal(err)
		}
		if err := s.Client.Create(s.t.Context(), query); err != nil {
			s.t.Fatal(err)
		}
	}
}

// next returns another image of a query.
func (s *soak) next(query string) cvmtest.Image {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	id := fmt.Sprintf("img-soak%05d", s.made)
	s.alive[query] = append(s.alive[query], id)
	return image(id, query+"-"+id)
}

// add puts another image of a query into the cloud.
func (s *soak) add(query string) { s.cloud.Put(s.regions[query], s.next(query)) }

// remove deletes one of a query's images, but never the last few, for which the breaker may trip.
func (s *soak) remove(query string) {
	s.mu.Lock()
	ids := s.alive[query]
	if len(ids) < 6 {
		s.mu.Unlock()
		return
	}
	i := s.random.IntN(len(ids))
	id := ids[i]
	s.gone[id] = true
	s.alive[query] = slices.Delete(ids, i, i+1)
	s.mu.Unlock()
	s.cloud.Delete(s.regions[query], id)
}

// act causes one random event.
func (s *soak) act(deadly bool) {
	s.t.Helper()
	query := s.names[s.random.IntN(len(s.names))]
	actions := []string{
		"add", "remove", "change", "poll", "poll", "cloud fault", "cloud fault", "api fault", "watches cut", "selection edit", "heal",
	}
	if deadly && s.random.IntN(100) == 0 {
		actions = []string{"kill", "sleep", "terminate"}
	}
	action := actions[s.random.IntN(len(actions))]
	s.counts[action]++
	switch action {
	case "add":
		s.add(query)
	case "remove":
		s.remove(query)
	case "change":
		id := s.alive[query][s.random.IntN(len(s.alive[query]))]
		s.cloud.Update(s.regions[query], id, func(i *cvmtest.Image) {
			i.ImageDescription = fmt.Sprint(s.random.Uint64())
			i.ImageState = []string{"NORMAL", "NORMAL", "SYNCING"}[s.random.IntN(3)]
		})
	case "poll":
		s.annotate(query)
	case "cloud fault":
		f := s.cloudFault()
		f.Region, f.Times = s.regions[query], 1+s.random.IntN(3)
		s.cloud.Inject(f)
	case "api fault":
		s.api.Inject(s.apiFault())
	case "watches cut":
		s.api.CutWatches([]string{"imagequeries", "cloudimages", "secrets"}[s.random.IntN(3)])
	case "selection edit":
		s.patchSpec(query, fmt.Sprintf(`{"spec":{"selection":{"limit":%d,"skip":%d}}}`, 1+s.random.IntN(3), s.random.IntN(2)))
	case "heal":
		s.cloud.Heal()
		s.api.Heal()
	case "kill", "terminate":
		if action == "kill" {
			s.manager.Kill()
		} else if err := s.manager.Stop(); err != nil {
			s.t.Error(err)
		}
		s.api.Heal()
		s.restart()
		s.restarts = append(s.restarts, time.Now())
	case "sleep":
		_ = s.manager.Signal(syscall.SIGSTOP) // it is running
		<-time.After(2 * time.Second)
		_ = s.manager.Signal(syscall.SIGCONT)
		s.restarts = append(s.restarts, time.Now()) // a bucket fills meanwhile
	}
}

func (s *soak) cloudFault() cvmtest.Fault {
	faults := []cvmtest.Fault{
		{Code: "InternalError"}, {Code: "RequestLimitExceeded"}, {Status: 502}, {Hangup: true}, {CutAfter: 200},
		{Body: new(`{}`)}, {Body: new(`null`)},
		{Page: 2, Code: "InternalError"}, {TotalDelta: 1}, {DropImages: 3}, {Page: 1, DuplicateImages: 5}, {Short: 60}, {IgnoreOffset: true},
		{Listing: true, DropImages: 20, TotalDelta: -20}, {Listing: true, TotalCount: new(int64(0))}, {Delay: 2 * time.Second},
		{ByID: true, Code: "InternalError"},
		{Code: "UnauthorizedOperation"}, {Code: "AuthFailure.SecretIdNotFound"}, {NullImages: 1},
	}
	return faults[s.random.IntN(len(faults))]
}

func (s *soak) apiFault() apiproxy.Fault {
	times := 1 + s.random.IntN(4)
	faults := []apiproxy.Fault{
		{Resource: "imagequeries/status", Status: http.StatusConflict},
		{Verb: "create", Resource: "cloudimages", Status: http.StatusServiceUnavailable},
		{Verb: "update", Resource: "cloudimages", Status: http.StatusConflict}, {Verb: "create", Resource: "cloudimages", DropReply: true},
		{Verb: "update", Resource: "cloudimages", DropReply: true}, {Resource: "imagequeries/status", DropReply: true},
		{Verb: "delete", Resource: "cloudimages", DropReply: true}, {Verb: "create", Resource: "cloudimages", Status: http.StatusForbidden},
		{Resource: "imagequeries/status", Status: http.StatusTooManyRequests, RetryAfter: 1}, {Verb: "get", Delay: time.Second},
		{Resource: "imagequeries/status", Delay: time.Second}, {Verb: "get", Status: http.StatusInternalServerError},
	}
	f := faults[s.random.IntN(len(faults))]
	f.Times = times
	return f
}

func (s *soak) annotate(query string) {
	s.patchSpec(query, fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, imagev1alpha1.AnnotationRequestedAt, fmt.Sprint(s.random.Uint64())))
}

func (s *soak) patchSpec(query, patch string) {
	object := &imagev1alpha1.ImageQuery{}
	object.Name = query
	if err := s.Client.Patch(s.t.Context(), object, mergePatch([]byte(patch))); err != nil {
		s.t.Fatal(err)
	}
}

// watchObjects fails if the CloudImage of an existing image is deleted. Queries with policy Selected are ignored, since
// it creates and deletes objects.
func (s *soak) watchObjects(ctx context.Context) {
	seen := map[string]bool{}
	for ctx.Err() == nil {
		now := map[string]bool{}
		var list imagev1alpha1.CloudImageList
		if err := s.Client.List(ctx, &list); err != nil {
			continue
		}
		for i := range list.Items {
			if query, _, _ := strings.Cut(list.Items[i].Image.Name, "-"); !s.selectedOnly(query) {
				now[list.Items[i].Image.ID] = true
			}
		}
		s.mu.Lock()
		for id := range seen {
			if !now[id] && !s.gone[id] {
				s.t.Errorf("the CloudImage of %s was deleted, and the cloud has the image", id)
			}
		}
		s.mu.Unlock()
		seen = now
		pause(ctx, time.Second)
	}
}

func (s *soak) selectedOnly(query string) bool { return slices.Index(s.names, query)%4 == 3 }

// watchSelected fails if a selection becomes empty, or contains an image that never existed.
func (s *soak) watchSelected(ctx context.Context) {
	had := map[string]bool{}
	for ctx.Err() == nil {
		var list imagev1alpha1.ImageQueryList
		if err := s.Client.List(ctx, &list); err != nil {
			continue
		}
		for i := range list.Items {
			q := &list.Items[i]
			if had[q.Name] && len(q.Status.Selected) == 0 {
				s.t.Errorf("selected of %s was emptied, and all that happened is the cloud's doing", q.Name)
			}
			had[q.Name] = len(q.Status.Selected) > 0
			for _, image := range q.Status.Selected {
				if !strings.HasPrefix(image.Name, q.Name+"-") {
					s.t.Errorf("%s selects %s", q.Name, image.Name)
				}
			}
		}
		pause(ctx, time.Second)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// end removes all faults and waits until all queries and objects agree with the cloud.
func (s *soak) end(queries int) {
	s.t.Helper()
	s.cloud.Heal()
	s.api.Heal()
	for _, query := range s.names {
		s.annotate(query)
	}
	s.untilAllSynced(queries)
	deadline := time.Now().Add(10 * time.Minute)
	for wrong := "?"; wrong != ""; {
		if time.Now().After(deadline) {
			s.t.Fatalf("not everything has converged: %s", wrong)
		}
		<-time.After(time.Second)
		wrong = s.wrong()
	}
	// Everything agrees, so polls write no CloudImage.
	writes := len(s.api.Writes())
	for _, query := range s.names {
		s.annotate(query)
	}
	s.untilAllHandled()
	for _, r := range s.api.Writes()[writes:] {
		if r.Resource == "cloudimages" {
			s.t.Errorf("nothing changed, and there was a write: %s", r)
		}
	}
}

// untilAllHandled waits for the requested polls. Each lists the images, five pages at ten a second: with 200 queries,
// 100 seconds.
func (s *soak) untilAllHandled() {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Minute); ; <-time.After(time.Second) {
		var list imagev1alpha1.ImageQueryList
		if err := s.Client.List(s.t.Context(), &list); err != nil {
			s.t.Fatal(err)
		}
		open := slices.DeleteFunc(list.Items, func(q imagev1alpha1.ImageQuery) bool {
			return q.Status.LastHandledReconcileAt == q.Annotations[imagev1alpha1.AnnotationRequestedAt]
		})
		if len(open) == 0 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%d requested polls have not ended", len(open))
		}
	}
}

// wrong returns what doesn't agree with the cloud yet.
func (s *soak) wrong() string {
	var list imagev1alpha1.ImageQueryList
	var objects imagev1alpha1.CloudImageList
	if err := s.Client.List(s.t.Context(), &list); err != nil {
		return err.Error()
	}
	if err := s.Client.List(s.t.Context(), &objects); err != nil {
		return err.Error()
	}
	of := map[string][]string{}
	for _, object := range objects.Items {
		query, _, _ := strings.Cut(object.Image.Name, "-")
		of[query] = append(of[query], object.Image.ID)
	}
	for i := range list.Items {
		q := &list.Items[i]
		want := slices.Sorted(slices.Values(s.alive[q.Name]))
		if got := statusIDs(q); !slices.Equal(got, want) {
			return fmt.Sprintf("status of %s: %s", q.Name, difference(got, want))
		}
		if s.selectedOnly(q.Name) {
			want = nil
			for _, image := range q.Status.Selected {
				want = append(want, image.ImageID)
			}
			slices.Sort(want)
		}
		if got := slices.Sorted(slices.Values(of[q.Name])); !slices.Equal(got, want) {
			return fmt.Sprintf("objects of %s: %s", q.Name, difference(got, want))
		}
	}
	return ""
}

// sample is the resource usage of the process at a time.
type sample struct {
	at                   time.Time
	pid                  int
	goroutines, fds, rss float64
}

func (s *soak) sample() sample {
	s.t.Helper()
	return sample{
		at: time.Now(), pid: s.manager.Pid(), goroutines: s.metric("go_goroutines"), fds: s.metric("process_open_fds"),
		rss: s.metric("process_resident_memory_bytes"),
	}
}

// flat fails if the last process uses much more memory at its end than after warming up.
func (s *soak) flat(samples []sample) {
	last := slices.DeleteFunc(slices.Clone(samples), func(x sample) bool { return x.pid != s.manager.Pid() })
	if len(last) < 8 {
		return // too few to say anything
	}
	middle, end := last[len(last)/4:len(last)/2], last[3*len(last)/4:]
	for what, of := range map[string]func(sample) float64{
		"goroutines": func(x sample) float64 { return x.goroutines - 30 }, "file descriptors": func(x sample) float64 { return x.fds - 20 },
		"bytes of memory": func(x sample) float64 { return x.rss - 32<<20 },
	} {
		before, after := least(middle, of), least(end, of)
		if after > 1.3*max(before, 1) && after > 30 {
			s.t.Errorf("%s grew from %v to %v", what, before, after)
		}
	}
}

func least(samples []sample, of func(sample) float64) float64 {
	values := make([]float64, 0, len(samples))
	for _, x := range samples {
		values = append(values, of(x))
	}
	return slices.Min(values)
}

// frugal fails if the cloud got more requests in a second than the rate limit, except just after a start, when the
// bucket is full.
func (s *soak) frugal() {
	requests := s.cloud.Requests()
	for i, first := range requests {
		if slices.ContainsFunc(s.restarts, func(at time.Time) bool { return at.Sub(first.Time).Abs() < 4*time.Second }) {
			continue
		}
		in := 0
		for _, r := range requests[i:] {
			if r.Time.Sub(first.Time) >= time.Second {
				break
			}
			in++
		}
		if in > 10+10+1 {
			s.t.Errorf("the cloud got %d requests in the second after %s", in, first.Time)
			return
		}
	}
}

func (s *soak) report(samples []sample) {
	var actions []string
	for _, action := range slices.Sorted(maps.Keys(s.counts)) {
		actions = append(actions, fmt.Sprintf("%d × %s", s.counts[action], action))
	}
	writes := map[string]int{}
	for _, r := range s.api.Writes() {
		writes[r.Verb+" "+r.Resource]++
	}
	last := samples[len(samples)-1]
	s.t.Logf("soak: seed %d; %s; %d images made, %d deleted; %d requests to the cloud; writes %v; "+
		"at the end %v goroutines, %v file descriptors, %.0f MiB",
		*soakSeed, strings.Join(actions, ", "), s.made, len(s.gone), s.asked(), writes, last.goroutines, last.fds, last.rss/(1<<20))
}
