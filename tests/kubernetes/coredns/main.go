// Stands in for CoreDNS, which Debian does not have: it is healthy and ready, and resolves nothing.
package main

import "net/http"

func main() {
	answer := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	go http.ListenAndServe(":8080", answer)
	panic(http.ListenAndServe(":8181", answer))
}
