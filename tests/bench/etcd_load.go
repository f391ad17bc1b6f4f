// Clients of etcd, as edit_load is of an instance:
//
//	etcd_load ENDPOINTS CLIENTS SECONDS
//
// Each client has a connection and one put in flight: 256 bytes under a key of its own. Endpoints are
// joined by commas; the clients take them in turn. One line: puts acknowledged a second, p50 and p99
// of the wait in microseconds.
package main

import (
	"context"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/clientv3"
)

func giveUp(failure error) {
	fmt.Fprintln(os.Stderr, "etcd_load:", failure)
	os.Exit(1)
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "etcd_load ENDPOINTS CLIENTS SECONDS")
		os.Exit(2)
	}
	endpoints := strings.Split(os.Args[1], ",")
	clients, failure := strconv.Atoi(os.Args[2])
	if failure != nil {
		giveUp(failure)
	}
	seconds, failure := strconv.ParseFloat(os.Args[3], 64)
	if failure != nil {
		giveUp(failure)
	}
	connections := make([]*clientv3.Client, clients)
	for i := range connections {
		connections[i], failure = clientv3.New(clientv3.Config{
			Endpoints: []string{endpoints[i%len(endpoints)]}, DialTimeout: 5 * time.Second})
		if failure != nil {
			giveUp(failure)
		}
		if _, failure := connections[i].Put(context.Background(), "bench/first", ""); failure != nil {
			giveUp(failure)
		}
	}
	waits := make([][]time.Duration, clients)
	value := strings.Repeat("v", 256)
	began := time.Now()
	end := began.Add(time.Duration(seconds * float64(time.Second)))
	var running sync.WaitGroup
	for i := range connections {
		running.Add(1)
		go func(i int) {
			defer running.Done()
			key := "bench/" + strconv.Itoa(i)
			for sent := time.Now(); sent.Before(end); sent = time.Now() {
				if _, failure := connections[i].Put(context.Background(), key, value); failure != nil {
					giveUp(failure)
				}
				waits[i] = append(waits[i], time.Since(sent))
			}
		}(i)
	}
	running.Wait()
	took := time.Since(began)
	var all []time.Duration
	for _, of := range waits {
		all = append(all, of...)
	}
	sort.Slice(all, func(a, b int) bool { return all[a] < all[b] })
	at := func(part float64) int64 { return all[int(float64(len(all)-1)*part)].Microseconds() }
	fmt.Printf("%.0f %d %d\n", float64(len(all))/took.Seconds(), at(0.5), at(0.99))
}
