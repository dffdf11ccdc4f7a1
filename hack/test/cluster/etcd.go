// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// member is a member of etcd. The first one is envtest's, and has no process here.
type member struct {
	client  string
	process *Process
}

// startMembers starts the other members of an etcd, and configures the first one and the API server for all of them. None
// is ready before the first one runs.
func (c *Cluster) startMembers(first *envtest.Etcd, server *envtest.APIServer, others int) {
	c.Helper()
	var cluster []string
	peer := func(i int) string { return fmt.Sprintf("m%d", i) }
	peers := make([]string, others+1)
	for i := range peers {
		peers[i] = "http://" + c.FreeAddress()
		cluster = append(cluster, peer(i)+"="+peers[i])
	}
	// Elections take a second on a busy machine; the default of 100 ms between heartbeats causes many.
	const heartbeat, election = "200", "2000"
	first.URL = &url.URL{Scheme: "http", Host: c.FreeAddress()}
	first.Configure().Set("name", peer(0)).Set("initial-cluster", strings.Join(cluster, ",")).
		Set("listen-peer-urls", peers[0]).Set("initial-advertise-peer-urls", peers[0]).
		Set("heartbeat-interval", heartbeat).Set("election-timeout", election)
	c.members = []member{{client: first.URL.String()}}
	urls := []string{first.URL.String()}
	for i := 1; i <= others; i++ {
		at := "http://" + c.FreeAddress()
		process := c.children.start(c.T, nil, filepath.Join(c.assets, "etcd"), "--name="+peer(i), "--data-dir="+c.folder("etcd-"+peer(i)),
			"--initial-cluster="+strings.Join(cluster, ","), "--listen-peer-urls="+peers[i], "--initial-advertise-peer-urls="+peers[i],
			"--listen-client-urls="+at, "--advertise-client-urls="+at, "--unsafe-no-fsync",
			"--heartbeat-interval="+heartbeat, "--election-timeout="+election)
		c.members = append(c.members, member{client: at, process: process})
		urls = append(urls, at)
	}
	server.Configure().Set("etcd-servers", strings.Join(urls, ","))
}

// KillEtcdLeader kills the member of etcd that leads, like a lost node, and waits until the others have another leader.
func (c *Cluster) KillEtcdLeader() {
	c.Helper()
	leader := -1
	c.Until("etcd has a leader", func(ctx context.Context) error {
		var err error
		leader, err = c.etcdLeader(ctx)
		return err
	})
	if process := c.members[leader].process; process != nil {
		process.Kill()
	} else if err := syscall.Kill(c.ServerPid("etcd"), syscall.SIGKILL); err != nil {
		c.Fatalf("killing etcd: %v", err)
	}
	c.members = append(c.members[:leader:leader], c.members[leader+1:]...)
	c.Until("etcd has another leader", func(ctx context.Context) error { _, err := c.etcdLeader(ctx); return err })
}

// etcdLeader returns the index of the member that leads.
func (c *Cluster) etcdLeader(ctx context.Context) (int, error) {
	var errs []error
	for i, m := range c.members {
		id, leader, err := etcdStatus(ctx, m.client)
		if err == nil && id == leader {
			return i, nil
		}
		errs = append(errs, err)
	}
	return 0, fmt.Errorf("no member leads: %w", errors.Join(errs...))
}

// etcdStatus returns the ids of a member and of its leader, by the JSON gateway of etcd's API.
func etcdStatus(ctx context.Context, member string) (id, leader string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, member+"/v3/maintenance/status", bytes.NewBufferString("{}"))
	if err != nil {
		return "", "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", "", err
	}
	var status struct {
		Header struct {
			MemberID string `json:"member_id"`
		}
		Leader string
	}
	if err := json.Unmarshal(body, &status); err != nil {
		return "", "", fmt.Errorf("%s answers %s: %w", member, body, err)
	}
	if status.Leader == "" || status.Leader == "0" {
		return "", "", fmt.Errorf("%s knows no leader", member)
	}
	return status.Header.MemberID, status.Leader, nil
}
