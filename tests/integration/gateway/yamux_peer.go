// The other end of a link, on the yamux that Debian ships for Go:
//
//	yamux_peer agent PORT DIR PIN HELLO [BACKLOG]   dials, says HELLO, serves the streams it is sent
//	yamux_peer gateway DIR PIN WELCOME DEED         listens, says WELCOME, opens streams
//
// DIR holds tls.key and tls.crt, PIN is the key that the other end must have, HELLO and WELCOME are
// control messages in hexadecimal: what is in them is not the business of this program. What happens
// is said on the output, a line each.
package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

const (
	window    = 1 << 20 // Above the 256 KiB of the start, so that more is granted.
	keepAlive = 100 * time.Millisecond
	many      = 200
)

func check(err error) {
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

// Bytes in which a shift, a swap or a repetition would show; the tests make the same.
func pattern(size int, seed uint32) []byte {
	out := make([]byte, size)
	x := seed*2654435761 + 1
	for i := range out {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		out[i] = byte(x)
	}
	return out
}

func settings(dir, pin string) *tls.Config {
	pair, err := tls.LoadX509KeyPair(dir+"/tls.crt", dir+"/tls.key")
	check(err)
	return &tls.Config{
		Certificates:       []tls.Certificate{pair},
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{"umbra/1"},
		InsecureSkipVerify: true, // By its pin instead.
		ClientAuth:         tls.RequireAnyClientCert,
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			found, err := x509.ParseCertificate(raw[0])
			if err != nil {
				return err
			}
			sum := sha256.Sum256(found.RawSubjectPublicKeyInfo)
			if "sha256:"+hex.EncodeToString(sum[:]) != pin {
				return errors.New("another key than " + pin)
			}
			return nil
		},
	}
}

func multiplexer(backlog int) *yamux.Config {
	config := yamux.DefaultConfig()
	config.AcceptBacklog = backlog
	config.KeepAliveInterval = keepAlive
	config.MaxStreamWindowSize = window
	config.LogOutput = os.Stdout
	return config
}

// What stands behind a length of two bytes.
func framed(from io.Reader) ([]byte, error) {
	var length uint16
	if err := binary.Read(from, binary.BigEndian, &length); err != nil {
		return nil, err
	}
	body := make([]byte, length)
	_, err := io.ReadFull(from, body)
	return body, err
}

func withLength(body []byte) []byte {
	out := make([]byte, 2, 2+len(body))
	binary.BigEndian.PutUint16(out, uint16(len(body)))
	return append(out, body...)
}

// OPEN: version, epoch, port, host, client.
func openRequest(host string, port uint16) []byte {
	var body bytes.Buffer
	body.WriteByte(1)
	check(binary.Write(&body, binary.BigEndian, uint64(1)))
	check(binary.Write(&body, binary.BigEndian, port))
	for _, text := range []string{host, "192.0.2.1:1024"} {
		body.Write(withLength([]byte(text)))
	}
	return withLength(body.Bytes())
}

func status(code byte, text string) []byte {
	return withLength(append([]byte{code}, withLength([]byte(text))...))
}

// --- the end that dials

func serve(stream net.Conn) {
	open, err := framed(stream)
	check(err)
	port := binary.BigEndian.Uint16(open[9:])
	host := string(open[13 : 13+binary.BigEndian.Uint16(open[11:])])
	if host == "denied.cloud" {
		_, err = stream.Write(status(1, "not for you"))
		check(err)
		check(stream.Close())
		return
	}
	_, err = stream.Write(status(0, ""))
	check(err)
	switch host {
	case "echo.cloud":
		_, err = io.Copy(stream, stream)
		check(err)
	case "digest.cloud": // Answers when it has heard all.
		sum := sha256.New()
		_, err = io.Copy(sum, stream)
		check(err)
		_, err = stream.Write(sum.Sum(nil))
		check(err)
	case "source.cloud": // As many MiB as the port says.
		_, err = stream.Write(pattern(int(port)<<20, uint32(port)))
		check(err)
	case "deaf.cloud":
		return // Neither reads nor ends.
	case "quiet.cloud":
		_, err = io.Copy(io.Discard, stream)
		fmt.Println("quiet stream:", err)
		return
	}
	check(stream.Close())
}

func agent(port, dir, pin, hello string, backlog int) {
	connection, err := tls.Dial("tcp", "127.0.0.1:"+port, settings(dir, pin))
	check(err)
	session, err := yamux.Client(connection, multiplexer(backlog))
	check(err)
	control, err := session.OpenStream()
	check(err)
	words, err := hex.DecodeString(hello)
	check(err)
	_, err = control.Write(words)
	check(err)
	_, err = framed(control)
	check(err)
	fmt.Println("welcomed")
	go io.Copy(io.Discard, control)
	if backlog == 1 { // The next one waits until the other end has acknowledged that of control.
		_, err = session.OpenStream()
		check(err)
		fmt.Println("opened another")
	}
	for backlog == many { // With a smaller one it takes none: what is too much for it is reset.
		stream, err := session.AcceptStream()
		if err != nil {
			fmt.Println("over:", err)
			return
		}
		go serve(stream)
	}
	<-session.CloseChan()
}

// --- the end that listens

// Numbers of streams ascend on a link, which OpenStream by itself does not see to.
var opening sync.Mutex

// A stream that the other end accepts.
func opened(session *yamux.Session, host string, port uint16) *yamux.Stream {
	opening.Lock()
	stream, err := session.OpenStream()
	opening.Unlock()
	check(err)
	_, err = stream.Write(openRequest(host, port))
	check(err)
	answer, err := framed(stream)
	check(err)
	if answer[0] != 0 {
		check(fmt.Errorf("stream to %s refused with code %d", host, answer[0]))
	}
	return stream
}

// Sends, has back what it sent, and ends its direction. Not before: what this yamux has closed it no
// longer reads.
func there(session *yamux.Session, size int, seed uint32) {
	stream := opened(session, "echo.cloud", 80)
	sent := pattern(size, seed)
	go func() {
		_, err := stream.Write(sent)
		check(err)
	}()
	back := make([]byte, size)
	_, err := io.ReadFull(stream, back)
	check(err)
	if !bytes.Equal(back, sent) {
		check(fmt.Errorf("%d bytes sent, others came back", size))
	}
	check(stream.Close())
}

func gateway(dir, pin, welcome, deed string) {
	listener, err := tls.Listen("tcp", "127.0.0.1:0", settings(dir, pin))
	check(err)
	fmt.Println("port", listener.Addr().(*net.TCPAddr).Port)
	connection, err := listener.Accept()
	check(err)
	session, err := yamux.Server(connection, multiplexer(many))
	check(err)
	control, err := session.AcceptStream()
	check(err)
	if control.StreamID() != 1 {
		check(fmt.Errorf("the first stream is %d", control.StreamID()))
	}
	hello, err := framed(control)
	check(err)
	fmt.Println("hello", hex.EncodeToString(withLength(hello)))
	words, err := hex.DecodeString(welcome)
	check(err)
	_, err = control.Write(words)
	check(err)
	switch deed {
	case "large":
		there(session, 24<<20, 1)
	case "many":
		var all sync.WaitGroup
		for i := 0; i < many; i++ {
			all.Add(1)
			go func(seed int) {
				defer all.Done()
				there(session, 100_000+seed, uint32(seed))
			}(i)
		}
		all.Wait()
	case "reset":
		stream := opened(session, "reset.cloud", 80)
		_, err = stream.Write([]byte("now"))
		check(err)
		_, err = io.ReadAll(stream)
		if err != yamux.ErrConnectionReset {
			check(fmt.Errorf("a broken stream ends with %v", err))
		}
		there(session, 1<<20, 2)
	case "idle": // Pings go both ways.
		for i := 0; i < 5; i++ {
			_, err = session.Ping()
			check(err)
			time.Sleep(keepAlive)
		}
		there(session, 1<<20, 3)
	default:
		check(errors.New("unknown deed " + deed))
	}
	for i := 0; session.NumStreams() > 1 && i < 5000; i++ { // All but that of control.
		time.Sleep(time.Millisecond)
	}
	fmt.Println("done, streams left:", session.NumStreams()-1)
	<-session.CloseChan()
}

func main() {
	words := os.Args[1:]
	switch {
	case len(words) == 6 && words[0] == "agent":
		backlog, err := strconv.Atoi(words[5])
		check(err)
		agent(words[1], words[2], words[3], words[4], backlog)
	case len(words) == 5 && words[0] == "agent":
		agent(words[1], words[2], words[3], words[4], many)
	case len(words) == 5 && words[0] == "gateway":
		gateway(words[1], words[2], words[3], words[4])
	default:
		fmt.Fprintln(os.Stderr, "usage: see the first lines of yamux_peer.go")
		os.Exit(2)
	}
}
