// Package netns puts each node into a network namespace of its own and is the network between them.
//
//	namespace 1        namespace 2        namespace 3
//	10.99.0.1          10.99.0.2          10.99.0.3
//	tun0               tun0               tun0
//	  |                  |                  |
//	  +-------- this process: Network ------+
//
// Every packet between two nodes passes through this process, which looks up the Rule of that ordered pair: cut, lost,
// late, doubled, overtaken, slow. So any partition is possible (of one node, of one direction, of one pair), every packet
// that met a fault is counted, and the kernel needs neither a packet filter nor netem, but network namespaces and TUN
// devices. Both are made by system calls: no other program is needed, but the rights are, CAP_SYS_ADMIN and
// CAP_NET_ADMIN, which root has.
//
// There is nothing to clean up. Namespaces have no name, and addresses exist inside them only; the kernel removes both
// when this process and those that it started in them have ended, however they ended.
//
// The machine cannot reach into a namespace. Namespace.Dial opens a connection from inside, which this process then uses
// like any other; package proxy does so for clients.
package netns
