// etcd's own server, as Kubernetes' tree carries it, with the flags of kubeadm's static pod: for a cluster whose clock is moved, which
// Debian's etcd does not notice.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"go.etcd.io/etcd/embed"
)

// A flag whose name begins so belongs to this section of the configuration file, under its shorter name.
func place(file map[string]interface{}, name string, value interface{}) {
	section, name := "client-transport-security", name
	if strings.HasPrefix(name, "peer-") {
		section, name = "peer-transport-security", strings.TrimPrefix(name, "peer-")
	}
	switch name {
	case "cert-file", "key-file", "client-cert-auth", "trusted-ca-file":
		if file[section] == nil {
			file[section] = map[string]interface{}{}
		}
		file[section].(map[string]interface{})[name] = value
	default:
		file[name] = value
	}
}

func run() error {
	file := map[string]interface{}{"logger": "zap", "log-outputs": []string{"stderr"}}
	for _, argument := range os.Args[1:] {
		words := strings.SplitN(strings.TrimPrefix(argument, "--"), "=", 2)
		if len(words) != 2 {
			return fmt.Errorf("%s: not NAME=VALUE", argument)
		}
		var value interface{} = words[1]
		if number, err := strconv.Atoi(words[1]); err == nil {
			value = number
		} else if truth, err := strconv.ParseBool(words[1]); err == nil {
			value = truth
		}
		place(file, words[0], value)
	}
	for _, name := range []string{"heartbeat-interval", "election-timeout"} {
		variable := "ETCD_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		if number, err := strconv.Atoi(os.Getenv(variable)); err == nil {
			file[name] = number
		}
	}
	text, err := json.Marshal(file)
	if err != nil {
		return err
	}
	path := fmt.Sprintf("/tmp/etcd.%d.json", os.Getpid())
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return err
	}
	config, err := embed.ConfigFromFile(path)
	if err != nil {
		return err
	}
	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	return <-server.Err()
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
