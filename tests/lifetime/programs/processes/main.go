// processes stands in for containerd: the kubelet's real calls (CRI v1alpha2), but a container is a process of the node, in the
// node's own namespaces. Programs of a control plane are run as they are; for all other images something sleeps.
//
// Called as `crictl` it asks itself what kubeadm and imgforge ask containerd.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1alpha2"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/kubernetes/pkg/kubelet/cri/streaming"
)

const socket = "/run/containerd/containerd.sock"

// What runs; everything else sleeps.
var programs = map[string]bool{
	"etcd": true, "kube-apiserver": true, "kube-controller-manager": true, "kube-scheduler": true,
}

type sandbox struct {
	config  *cri.PodSandboxConfig
	created int64
	state   cri.PodSandboxState
}

type container struct {
	config                     *cri.ContainerConfig
	sandbox                    string
	created, started, finished int64
	state                      cri.ContainerState
	code                       int32
	process                    *os.Process
	ended                      chan struct{}
}

// One lock for everything: nothing that holds it waits.
type node struct {
	cri.UnimplementedRuntimeServiceServer
	cri.UnimplementedImageServiceServer
	sync.Mutex
	sandboxes  map[string]*sandbox
	containers map[string]*container
	streams    streaming.Server
}

func now() int64 { return time.Now().UnixNano() }

func identity() string {
	bytes := make([]byte, 32)
	rand.Read(bytes)
	return hex.EncodeToString(bytes)
}

func (n *node) Version(context.Context, *cri.VersionRequest) (*cri.VersionResponse, error) {
	return &cri.VersionResponse{Version: "0.1.0", RuntimeName: "processes", RuntimeVersion: "1.0.0", RuntimeApiVersion: "v1alpha2"}, nil
}

func (n *node) Status(context.Context, *cri.StatusRequest) (*cri.StatusResponse, error) {
	ready := []*cri.RuntimeCondition{{Type: "RuntimeReady", Status: true}, {Type: "NetworkReady", Status: true}}
	return &cri.StatusResponse{Status: &cri.RuntimeStatus{Conditions: ready}}, nil
}

func (n *node) UpdateRuntimeConfig(context.Context, *cri.UpdateRuntimeConfigRequest) (*cri.UpdateRuntimeConfigResponse, error) {
	return &cri.UpdateRuntimeConfigResponse{}, nil
}

func (n *node) RunPodSandbox(_ context.Context, r *cri.RunPodSandboxRequest) (*cri.RunPodSandboxResponse, error) {
	n.Lock()
	defer n.Unlock()
	id := identity()
	n.sandboxes[id] = &sandbox{config: r.Config, created: now(), state: cri.PodSandboxState_SANDBOX_READY}
	return &cri.RunPodSandboxResponse{PodSandboxId: id}, nil
}

func (n *node) StopPodSandbox(_ context.Context, r *cri.StopPodSandboxRequest) (*cri.StopPodSandboxResponse, error) {
	n.Lock()
	var running []string
	for id, c := range n.containers {
		if c.sandbox == r.PodSandboxId {
			running = append(running, id)
		}
	}
	if s := n.sandboxes[r.PodSandboxId]; s != nil {
		s.state = cri.PodSandboxState_SANDBOX_NOTREADY
	}
	n.Unlock()
	for _, id := range running {
		n.stop(id, 0)
	}
	return &cri.StopPodSandboxResponse{}, nil
}

func (n *node) RemovePodSandbox(c context.Context, r *cri.RemovePodSandboxRequest) (*cri.RemovePodSandboxResponse, error) {
	n.StopPodSandbox(c, &cri.StopPodSandboxRequest{PodSandboxId: r.PodSandboxId})
	n.Lock()
	defer n.Unlock()
	for id, c := range n.containers {
		if c.sandbox == r.PodSandboxId {
			delete(n.containers, id)
		}
	}
	delete(n.sandboxes, r.PodSandboxId)
	return &cri.RemovePodSandboxResponse{}, nil
}

func (n *node) PodSandboxStatus(_ context.Context, r *cri.PodSandboxStatusRequest) (*cri.PodSandboxStatusResponse, error) {
	n.Lock()
	defer n.Unlock()
	s := n.sandboxes[r.PodSandboxId]
	if s == nil {
		return nil, fmt.Errorf("no sandbox %s", r.PodSandboxId)
	}
	status := &cri.PodSandboxStatus{
		Id: r.PodSandboxId, Metadata: s.config.Metadata, State: s.state, CreatedAt: s.created,
		Network: &cri.PodSandboxNetworkStatus{}, Labels: s.config.Labels, Annotations: s.config.Annotations,
		Linux: &cri.LinuxPodSandboxStatus{Namespaces: &cri.Namespace{Options: s.options()}},
	}
	if s.options().Network != cri.NamespaceMode_NODE {
		status.Network.Ip = "169.254.1.1" // nobody is there
	}
	return &cri.PodSandboxStatusResponse{Status: status}, nil
}

func (s *sandbox) options() *cri.NamespaceOption {
	if o := s.config.GetLinux().GetSecurityContext().GetNamespaceOptions(); o != nil {
		return o
	}
	return &cri.NamespaceOption{}
}

// Whether all wanted labels are there.
func match(labels, wanted map[string]string) bool {
	for key, value := range wanted {
		if labels[key] != value {
			return false
		}
	}
	return true
}

func (n *node) ListPodSandbox(_ context.Context, r *cri.ListPodSandboxRequest) (*cri.ListPodSandboxResponse, error) {
	n.Lock()
	defer n.Unlock()
	list := &cri.ListPodSandboxResponse{}
	f := r.GetFilter()
	for id, s := range n.sandboxes {
		if f.GetId() != "" && f.Id != id || f.GetState() != nil && f.State.State != s.state || !match(s.config.Labels, f.GetLabelSelector()) {
			continue
		}
		list.Items = append(list.Items, &cri.PodSandbox{
			Id: id, Metadata: s.config.Metadata, State: s.state, CreatedAt: s.created, Labels: s.config.Labels, Annotations: s.config.Annotations,
		})
	}
	return list, nil
}

func (n *node) CreateContainer(_ context.Context, r *cri.CreateContainerRequest) (*cri.CreateContainerResponse, error) {
	n.Lock()
	defer n.Unlock()
	id := identity()
	r.Config.LogPath = filepath.Join(r.SandboxConfig.LogDirectory, r.Config.LogPath)
	n.containers[id] = &container{
		config: r.Config, sandbox: r.PodSandboxId, created: now(), state: cri.ContainerState_CONTAINER_CREATED, ended: make(chan struct{}),
	}
	return &cri.CreateContainerResponse{ContainerId: id}, nil
}

func (c *container) command() *exec.Cmd {
	words := append(append([]string{}, c.config.Command...), c.config.Args...)
	if len(words) == 0 || !programs[words[0]] {
		words = []string{"sleep", "infinity"}
	}
	command := exec.Command(words[0], words[1:]...)
	command.Env = os.Environ()
	for _, variable := range c.config.Envs {
		command.Env = append(command.Env, variable.Key+"="+variable.Value)
	}
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return command
}

func (n *node) StartContainer(_ context.Context, r *cri.StartContainerRequest) (*cri.StartContainerResponse, error) {
	n.Lock()
	defer n.Unlock()
	c := n.containers[r.ContainerId]
	if c == nil {
		return nil, fmt.Errorf("no container %s", r.ContainerId)
	}
	command := c.command()
	os.MkdirAll(filepath.Dir(c.config.LogPath), 0o755)
	log, err := os.OpenFile(c.config.LogPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		return nil, err
	}
	c.process, c.started, c.state = command.Process, now(), cri.ContainerState_CONTAINER_RUNNING
	go func() {
		command.Wait()
		n.Lock()
		defer n.Unlock()
		c.finished, c.state, c.code = now(), cri.ContainerState_CONTAINER_EXITED, int32(command.ProcessState.ExitCode())
		if c.code < 0 {
			c.code = 137
		}
		close(c.ended)
	}()
	return &cri.StartContainerResponse{}, nil
}

func (n *node) stop(id string, patience int64) {
	n.Lock()
	c := n.containers[id]
	n.Unlock()
	if c == nil || c.process == nil {
		return
	}
	syscall.Kill(-c.process.Pid, syscall.SIGTERM)
	select {
	case <-c.ended:
	case <-time.After(time.Duration(patience) * time.Second):
		syscall.Kill(-c.process.Pid, syscall.SIGKILL)
		<-c.ended
	}
}

func (n *node) StopContainer(_ context.Context, r *cri.StopContainerRequest) (*cri.StopContainerResponse, error) {
	n.stop(r.ContainerId, r.Timeout)
	return &cri.StopContainerResponse{}, nil
}

func (n *node) RemoveContainer(_ context.Context, r *cri.RemoveContainerRequest) (*cri.RemoveContainerResponse, error) {
	n.stop(r.ContainerId, 0)
	n.Lock()
	defer n.Unlock()
	delete(n.containers, r.ContainerId)
	return &cri.RemoveContainerResponse{}, nil
}

func (n *node) ListContainers(_ context.Context, r *cri.ListContainersRequest) (*cri.ListContainersResponse, error) {
	n.Lock()
	defer n.Unlock()
	list := &cri.ListContainersResponse{}
	f := r.GetFilter()
	for id, c := range n.containers {
		if f.GetId() != "" && f.Id != id || f.GetPodSandboxId() != "" && f.PodSandboxId != c.sandbox ||
			f.GetState() != nil && f.State.State != c.state || !match(c.config.Labels, f.GetLabelSelector()) {
			continue
		}
		list.Containers = append(list.Containers, &cri.Container{
			Id: id, PodSandboxId: c.sandbox, Metadata: c.config.Metadata, Image: c.config.Image, ImageRef: c.config.Image.Image,
			State: c.state, CreatedAt: c.created, Labels: c.config.Labels, Annotations: c.config.Annotations,
		})
	}
	return list, nil
}

func (n *node) ContainerStatus(_ context.Context, r *cri.ContainerStatusRequest) (*cri.ContainerStatusResponse, error) {
	n.Lock()
	defer n.Unlock()
	c := n.containers[r.ContainerId]
	if c == nil {
		return nil, fmt.Errorf("no container %s", r.ContainerId)
	}
	status := &cri.ContainerStatus{
		Id: r.ContainerId, Metadata: c.config.Metadata, State: c.state, CreatedAt: c.created, StartedAt: c.started, FinishedAt: c.finished,
		ExitCode: c.code, Image: c.config.Image, ImageRef: c.config.Image.Image, Labels: c.config.Labels, Annotations: c.config.Annotations,
		Mounts: c.config.Mounts, LogPath: c.config.LogPath,
	}
	if c.state == cri.ContainerState_CONTAINER_EXITED {
		status.Reason = "Error"
		if c.code == 0 {
			status.Reason = "Completed"
		}
	}
	return &cri.ContainerStatusResponse{Status: status}, nil
}

func (n *node) UpdateContainerResources(context.Context, *cri.UpdateContainerResourcesRequest) (*cri.UpdateContainerResourcesResponse, error) {
	return &cri.UpdateContainerResourcesResponse{}, nil
}

func (n *node) ReopenContainerLog(context.Context, *cri.ReopenContainerLogRequest) (*cri.ReopenContainerLogResponse, error) {
	return &cri.ReopenContainerLogResponse{}, nil
}

func (n *node) ListContainerStats(context.Context, *cri.ListContainerStatsRequest) (*cri.ListContainerStatsResponse, error) {
	return &cri.ListContainerStatsResponse{}, nil
}

func (n *node) Exec(_ context.Context, r *cri.ExecRequest) (*cri.ExecResponse, error) { return n.streams.GetExec(r) }

// What kubectl exec runs.
type executor struct{}

func (executor) Exec(_ string, words []string, in io.Reader, out, err io.WriteCloser, _ bool, _ <-chan remotecommand.TerminalSize) error {
	command := exec.Command(words[0], words[1:]...)
	command.Stdin, command.Stdout, command.Stderr = in, out, err
	return command.Run()
}

func (executor) Attach(string, io.Reader, io.WriteCloser, io.WriteCloser, bool, <-chan remotecommand.TerminalSize) error {
	return fmt.Errorf("nobody attaches here")
}

func (executor) PortForward(string, int32, io.ReadWriteCloser) error { return fmt.Errorf("no port is forwarded here") }

// Every image is there.
func (n *node) ImageStatus(_ context.Context, r *cri.ImageStatusRequest) (*cri.ImageStatusResponse, error) {
	return &cri.ImageStatusResponse{Image: &cri.Image{Id: r.Image.Image, RepoTags: []string{r.Image.Image}, Size_: 1}}, nil
}

func (n *node) PullImage(_ context.Context, r *cri.PullImageRequest) (*cri.PullImageResponse, error) {
	return &cri.PullImageResponse{ImageRef: r.Image.Image}, nil
}

func (n *node) ListImages(context.Context, *cri.ListImagesRequest) (*cri.ListImagesResponse, error) {
	return &cri.ListImagesResponse{}, nil
}

func (n *node) ImageFsInfo(context.Context, *cri.ImageFsInfoRequest) (*cri.ImageFsInfoResponse, error) {
	usage := &cri.FilesystemUsage{
		Timestamp: now(), FsId: &cri.FilesystemIdentifier{Mountpoint: "/var/lib"}, UsedBytes: &cri.UInt64Value{}, InodesUsed: &cri.UInt64Value{},
	}
	return &cri.ImageFsInfoResponse{ImageFilesystems: []*cri.FilesystemUsage{usage}}, nil
}

func serve() error {
	n := &node{sandboxes: map[string]*sandbox{}, containers: map[string]*container{}}
	settings := streaming.DefaultConfig
	settings.Addr = "127.0.0.1:10010"
	var err error
	if n.streams, err = streaming.NewServer(settings, executor{}); err != nil {
		return err
	}
	go n.streams.Start(true)
	os.MkdirAll(filepath.Dir(socket), 0o755)
	os.Remove(socket)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	cri.RegisterRuntimeServiceServer(server, n)
	cri.RegisterImageServiceServer(server, n)
	return server.Serve(listener)
}

// crictl, as far as kubeadm and imgforge use it.
func crictl(words []string) error {
	name := ""
	var rest []string
	for i := 0; i < len(words); i++ {
		switch words[i] {
		case "-r", "--runtime-endpoint", "--name":
			if i++; words[i-1] == "--name" && i < len(words) {
				name = words[i]
			}
		case "-q", "--quiet":
		default:
			rest = append(rest, words[i])
		}
	}
	if len(rest) == 0 {
		return fmt.Errorf("what is to be done?")
	}
	connection, err := grpc.Dial(socket, grpc.WithInsecure(), grpc.WithBlock(), grpc.WithTimeout(5*time.Second),
		grpc.WithContextDialer(func(c context.Context, address string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(c, "unix", address)
		}))
	if err != nil {
		return err
	}
	ctx, runtime := context.Background(), cri.NewRuntimeServiceClient(connection)
	wanted, err := regexp.Compile(name)
	if err != nil {
		return err
	}
	switch rest[0] {
	case "info":
		_, err = runtime.Status(ctx, &cri.StatusRequest{})
		fmt.Println("{}")
	case "inspecti", "pull":
	case "pods":
		var list *cri.ListPodSandboxResponse
		if list, err = runtime.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{}); err == nil {
			for _, pod := range list.Items {
				fmt.Println(pod.Id)
			}
		}
	case "ps":
		running := &cri.ContainerFilter{State: &cri.ContainerStateValue{State: cri.ContainerState_CONTAINER_RUNNING}}
		var list *cri.ListContainersResponse
		if list, err = runtime.ListContainers(ctx, &cri.ListContainersRequest{Filter: running}); err == nil {
			for _, c := range list.Containers {
				if wanted.MatchString(c.Metadata.Name) {
					fmt.Println(c.Id)
				}
			}
		}
	case "stopp":
		_, err = runtime.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: rest[1]})
	case "rmp":
		_, err = runtime.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: rest[1]})
	case "stop":
		_, err = runtime.StopContainer(ctx, &cri.StopContainerRequest{ContainerId: rest[1], Timeout: 10})
	default:
		err = fmt.Errorf("this crictl does not know: %s", strings.Join(rest, " "))
	}
	return err
}

func main() {
	var err error
	if filepath.Base(os.Args[0]) == "crictl" {
		err = crictl(os.Args[1:])
	} else {
		err = serve()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
