// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

// Row is a fault and the required behaviour.
type Row struct {
	Number int

	// Fault is what fails, and Required what the operator must do.
	Fault, Required string

	// Proof names further tests for the row, on lower levels. The row's own test runs the whole manager.
	Proof string
}

// Table has all rows. docs/reliability.md shows them: TestTheTableIsDocumented -update writes it.
var Table = []Row{
	{
		Number: 1, Fault: "HTTP 5xx, a gateway's HTML, 300 KiB of it",
		Required: "The poll fails as Unavailable; the message has a code and our words only",
		Proof:    "`controllers/catalog/cvm/transport_test.go`",
	},
	{
		Number: 2, Fault: "no answer at all",
		Required: "Each request ends after 20 s and frees its worker; others are polled meanwhile",
		Proof:    "`controllers/odd_cloud_test.go`, `controllers/catalog/cvm/client_test.go`",
	},
	{
		Number: 3, Fault: "an answer byte by byte",
		Required: "The same deadline: it is for the whole request, not for silence",
		Proof:    "`controllers/catalog/cvm/client_test.go`",
	},
	{
		Number: 4, Fault: "an answer that breaks off, is reset, or is half a JSON text",
		Required: "The poll fails; a connection that ends before the first byte is tried once more, with a token of its own",
		Proof:    "`controllers/catalog/cvm/transport_test.go`",
	},
	{
		Number: 5, Fault: "a certificate that is expired, of another name, or signed by a stranger; TLS 1.0",
		Required: "Refused, never asked in plain text; Unavailable with the cause in words, and tried again (a certificate is the cloud's " +
			"to mend, so nobody " +
			"is called to act)",
		Proof: "`controllers/catalog/cvm/transport_test.go`",
	},
	{
		Number: 6, Fault: "a name that can't be resolved",
		Required: "Unavailable, and the message names the host; tried again with growing pauses",
		Proof:    "`controllers/catalog/cvm/network_test.go`",
	},
	{
		Number: 7, Fault: "refused keys, a missing permission",
		Required: "Stalled with a reason of its own; tried again slowly, and at once when the Secret changes",
		Proof:    "`controllers/catalog/cvm/errors_test.go`",
	},
	{
		Number: 8, Fault: "the node's clock is wrong, so signatures have expired",
		Required: "Unavailable, and the message says which clock to correct",
		Proof:    "`controllers/catalog/cvm/errors_test.go`",
	},
	{
		Number: 9, Fault: "RequestLimitExceeded",
		Required: "The bucket of that key pauses with growing, jittered pauses; others don't notice",
		Proof:    "`controllers/catalog/cvm/limit_test.go`",
	},
	{
		Number: 10, Fault: "an error in an answer with status 200, also one nobody knows",
		Required: "The poll fails as Unavailable",
		Proof:    "`controllers/catalog/cvm/errors_test.go`",
	},
	{
		Number: 11, Fault: "`{}`, `{\"Response\":null}`, `{\"Response\":{}}`, which the SDK takes for success",
		Required: "IncompleteListing, never zero images",
		Proof:    "`controllers/catalog/cvm/transport_test.go`",
	},
	{
		Number: 12, Fault: "`null`, at which the SDK panics",
		Required: "A failed poll, counted",
		Proof:    "`controllers/catalog/cvm/transport_test.go`",
	},
	{
		Number: 13, Fault: "other JSON types, 200 000 brackets, no JSON",
		Required: "The poll fails",
		Proof:    "`controllers/catalog/cvm/transport_test.go`, `controllers/catalog/cvm/fuzz_test.go`",
	},
	{
		Number: 14, Fault: "100 MB, a deflate bomb, a gzip bomb, 300 000 entries in a page",
		Required: "Refused at 8 MiB or more entries than asked for; memory stays below 128 MiB",
		Proof:    "`controllers/catalog/cvm/network_test.go`",
	},
	{
		Number: 15, Fault: "an event stream, a redirect, an encoding nobody asked for",
		Required: "Refused by the transport",
		Proof:    "`controllers/catalog/cvm/transport_test.go`",
	},
	{
		Number: 16, Fault: "a page after the first fails",
		Required: "The whole listing is void",
		Proof:    "`controllers/catalog/cvm/listing_test.go`",
	},
	{
		Number: 17, Fault: "TotalCount changes between pages",
		Required: "Read again; if it stays so, nothing leaves",
		Proof:    "`controllers/catalog/cvm/listing_test.go`",
	},
	{
		Number: 18, Fault: "images twice",
		Required: "Counted once; the listing goes on until the count agrees",
		Proof:    "`controllers/catalog/cvm/listing_test.go`",
	},
	{
		Number: 19, Fault: "images skipped between pages",
		Required: "Noticed by the count, read again; what is still missing is asked for by id, and what then exists is listed again",
		Proof:    "`controllers/catalog/cvm/listing_test.go`",
	},
	{
		Number: 20, Fault: "pages shorter than asked for",
		Required: "The next page begins after the ids so far; bounded",
		Proof:    "`controllers/catalog/cvm/listing_test.go`",
	},
	{
		Number: 21, Fault: "Offset is ignored",
		Required: "Ends after as many pages as there can be; nothing leaves",
		Proof:    "`controllers/catalog/cvm/listing_test.go`",
	},
	{
		Number: 22, Fault: "TotalCount null, negative, 1e12; ImageSet null or `[null]`",
		Required: "IncompleteListing",
		Proof:    "`controllers/catalog/cvm/transport_test.go`",
	},
	{
		Number: 23, Fault: "an empty answer after many images",
		Required: "TooFewImages, and with minImages 0 RemovalBlocked: nothing leaves until a person runs the command in its message",
		Proof:    "`controllers/imagequery_controller_test.go`",
	},
	{
		Number: 24, Fault: "most images vanish at once",
		Required: "RemovalBlocked; an approval is for the images it names, not for later ones",
		Proof:    "`controllers/imagequery_controller_test.go`",
	},
	{
		Number: 25, Fault: "an image comes and goes with each poll",
		Required: "Its object stays through the grace period; what only a listing lacks changes nothing",
		Proof:    "`controllers/odd_cloud_test.go`",
	},
	{
		Number: 26, Fault: "malformed ids: empty, `../x`, upper case, 10 KiB",
		Required: "Skipped and counted, never an object's name",
		Proof:    "`controllers/catalog/cvm/convert_test.go`",
	},
	{
		Number: 27, Fault: "names with NUL, line breaks, ESC, bidi, invalid UTF-8, 64 KiB",
		Required: "Normalised and bounded; every record is stored",
		Proof:    "`controllers/catalog/cvm/convert_test.go`, `controllers/odd_cloud_test.go`",
	},
	{
		Number: 28, Fault: "CreatedTime null, in another form, in the future",
		Required: "A total order; nothing moves when the cloud lists otherwise",
		Proof:    "`controllers/selection/match_test.go`, `controllers/catalog/cvm/convert_test.go`",
	},
	{
		Number: 29, Fault: "states, architectures, types that are new",
		Required: "Stored as they are; an image in a state nobody knows is never selected, nor one of a type nobody knows unless its " +
			"creator is trusted",
		Proof: "`controllers/odd_cloud_test.go`, `controllers/trust_test.go`",
	},
	{
		Number: 30, Fault: "the Secret is another account's in mid-poll",
		Required: "A listing is read with one key; the other account's first listing is RemovalBlocked and its images HeldBack",
		Proof:    "`controllers/odd_cloud_test.go`, `controllers/catalog/cvm/network_test.go`",
	},
	{
		Number: 31, Fault: "the spec changes in mid-poll",
		Required: "The result is discarded",
		Proof:    "`controllers/imagequery_controller_test.go`",
	},
	{
		Number: 32, Fault: "the query is deleted and made anew in mid-poll",
		Required: "The namesake gets nothing of it",
		Proof:    "`controllers/imagequery_controller_test.go`",
	},
	{
		Number: 33, Fault: "suspended in mid-poll",
		Required: "The poll ends without effect; no further one",
		Proof:    "`controllers/odd_cloud_test.go`",
	},
	{
		Number: 34, Fault: "every status write conflicts, a hundred times",
		Required: "Read again within bounds, then tried later; the cloud isn't asked again for it",
		Proof:    "`controllers/imagequery_controller_test.go`",
	},
	{
		Number: 35, Fault: "the API server answers 429 with Retry-After, or 503",
		Required: "As long as it says; no listing for a failed write",
	},
	{
		Number: 36, Fault: "the API server is away and comes back",
		Required: "The operator goes on, or ends and is started again; nothing is made anew",
	},
	{
		Number: 37, Fault: "watches are cut, etcd is compacted, the API server restarted",
		Required: "Lists again; one effect of each change",
	},
	{
		Number: 38, Fault: "the cache lags behind the operator's own writes",
		Required: "The query waits, and goes on after a minute: AlreadyExists and NotFound are normal; nothing is deleted on the " +
			"cache's word, and nothing twice",
	},
	{
		Number: 39, Fault: "a deletion and a creation reach the cache as one change",
		Required: "The UID is compared; the namesake gets objects of its own",
	},
	{
		Number: 40, Fault: "a start before an API server that doesn't answer",
		Required: "Not ready, no write, no request to the cloud",
	},
	{
		Number: 41, Fault: "the operator is killed before, in and after every write",
		Required: "The same end, the same counts: see crash points below",
	},
	{
		Number: 42, Fault: "a write is done and the reply lost",
		Required: "Tried again without a second effect",
	},
	{
		Number: 43, Fault: "admission refuses one object of many",
		Required: "The others are written, the query's status has the image, the message names the object; tried again with growing pauses",
		Proof:    "`controllers/imagequery_controller_test.go`",
	},
	{
		Number: 44, Fault: "verbs of the role are taken away one by one",
		Required: "The message or the log says so, nothing is lost, it recovers when they are back",
	},
	{
		Number: 45, Fault: "a query that the schema admits and nobody can decode",
		Required: "There is none: drawn from the schemas, whatever is admitted decodes",
		Proof:    "`api/v1alpha1/poison_test.go`",
	},
	{
		Number: 46, Fault: "labels, owners, facts or lifecycle of a CloudImage tampered with",
		Required: "Refused by the admission policy; without it, brought back by the next poll. Whatever bears a name of ours is ours; " +
			"labels of others stay",
		Proof: "`controllers/imagequery_controller_test.go`",
	},
	{
		Number: 47, Fault: "another client made the CloudImage before",
		Required: "It is the record of that image and is brought to it; one that no query has is NotMatched at once and deleted a day later",
		Proof:    "`controllers/missing_test.go`",
	},
	{
		Number: 48, Fault: "the Secret is missing, empty, half, binary, huge, with line breaks",
		Required: "A sentence that says what to write; line breaks are trimmed",
		Proof:    "`controllers/imagequery_controller_test.go`",
	},
	{
		Number: 49, Fault: "two operators at once, and a leader that slept",
		Required: "One effect of each change; the sleeper writes nothing and ends",
	},
	{
		Number: 50, Fault: "the Lease is lost in mid-poll",
		Required: "No further write; the process ends",
	},
	{
		Number: 51, Fault: "clocks: a status from tomorrow, or from long ago; a clock that jumps an hour within the process",
		Required: "Polled at once; the next success corrects the time. A clock that jumps neither ends a grace period early, as far as the " +
			"time that it shows, nor starts polls without end, nor stops them. (Go's binary is static, so its clock can't be faked from " +
			"outside)",
		Proof: "`controllers/clock_test.go`, `controllers/schedule_test.go`, `controllers/catalog/cvm/limit_test.go`",
	},
	{
		Number: 52, Fault: "1000 queries due at the start",
		Required: "One listing for those that ask the same; the budget holds in every second",
		Proof:    "`controllers/catalog/shared_test.go`",
	},
	{
		Number: 53, Fault: "a query of 3000 images beside 100 small ones",
		Required: "The small ones are synced meanwhile (of 10 000 images, one takes minutes here: it is in the benchmark)",
	},
	{
		Number: 54, Fault: "a poll that panics",
		Required: "Recovered; others go on",
		Proof:    "`controllers/catalog/shared_test.go`",
	},
	{
		Number: 55, Fault: "2100 images with the longest names there can be",
		Required: "status.images ends at 1 MiB with imagesTruncated; never a write that can't succeed",
	},
	{
		Number: 56, Fault: "the namespace of the Secrets is deleted",
		Required: "Stalled with CredentialsNotFound, images kept, few writes (the kinds are cluster-scoped: no query goes with a namespace)",
	},
	{
		Number: 57, Fault: "requestedAt changes all the time",
		Required: "One poll a second",
		Proof:    "`controllers/schedule_test.go`",
	},
	{
		Number: 58, Fault: "the CRDs are deleted and installed again",
		Required: "The operator says what is missing and goes on once it is there; an empty cache deletes nothing",
	},
	{
		Number: 59, Fault: "an upgrade with live objects",
		Required: "A restart over the same state writes nothing. (`make test-upgrade` upgrades from the previous release)",
	},
	{
		Number: 60, Fault: "SIGTERM in mid-poll and in mid-write",
		Required: "Ends within 30 s; the next process does the rest, requests included",
	},
	{
		Number: 61, Fault: "1000 queries within the memory limit",
		Required: "Below the Deployment's 512 MiB. (128 MiB was for another release's limit)",
	},
	{
		Number: 62, Fault: "probes and metrics while caches fill and while it ends",
		Required: "Live, and not ready, until the cluster's state has been read; metrics are served throughout",
	},
	{
		Number: 63, Fault: "another client deletes CloudImages, or takes their owners off",
		Required: "Made anew at once, and after a start; a job that deletes all the time drives polls with growing pauses. What the " +
			"deletion of a query with --cascade=orphan leaves loses its label at once and has a day",
		Proof: "`controllers/missing_test.go`",
	},
	{
		Number: 64, Fault: "many queries of many authors meet on one CloudImage",
		Required: "Conflicts are tried again with jitter, and what is given up is a failure; at most 64 owners and 64 labels, the " +
			"oldest query's first, and who comes too late is told so",
		Proof: "`controllers/sharing_test.go`, `controllers/cloudimage/claim_test.go`",
	},
	{
		Number: 65, Fault: "watches are lost, and come back later than the API server",
		Required: "A query whose own writes the caches don't show yet waits for them, a minute at the most: nothing is written twice, " +
			"and others are polled meanwhile",
		Proof: "`controllers/written_test.go`",
	},
	{
		Number: 66, Fault: "three members of etcd, and the leader is killed while objects are written",
		Required: "Writes fail for some seconds and are tried again: nothing is created or deleted twice, and all is there in the end",
	},
	{
		Number: 67, Fault: "two API servers behind one address, and the one that lists CloudImages lags three seconds behind etcd",
		Required: "Lists, watches and a start from the older state: conflicts are read again, so no poll fails; nothing is created or " +
			"deleted twice, and no image that is there loses its object",
	},
	{
		Number: 68, Fault: "the memory limit: too small, or that of the Deployment with 10 000 images",
		Required: "The process that dies of it leaves everything consistent, and the next one does the rest; 512 MiB are enough for 10 000 " +
			"images. (The limit is RLIMIT_DATA and GOMEMLIMIT: a cgroup of one's own needs rights that tests don't have)",
	},
}
