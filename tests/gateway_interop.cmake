# The other end of the link is the yamux that Debian ships for Go, built from its source package.
if(TARGET umbra_gateway_link)
  find_program(UMBRA_GO NAMES go PATHS /usr/lib/go-1.19/bin)
  set(umbra_go_path /usr/share/gocode)
  set(umbra_yamux_peer ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/yamux_peer)
  umbra_add_test(gateway_interop_test LABEL integration
    SOURCES integration/gateway/go_yamux_test.cpp
    LIBRARIES umbra_gateway_link OpenSSL::Crypto)
  target_compile_definitions(gateway_interop_test PRIVATE UMBRA_YAMUX_PEER="${umbra_yamux_peer}")
  if(UMBRA_GO AND EXISTS ${umbra_go_path}/src/github.com/hashicorp/yamux/session.go)
    # Without modules and the user's settings: nothing is fetched.
    add_custom_command(OUTPUT ${umbra_yamux_peer}
      COMMAND ${CMAKE_COMMAND} -E env GO111MODULE=off GOENV=off GOFLAGS= GOPATH=${umbra_go_path}
              GOCACHE=${CMAKE_BINARY_DIR}/go-cache CGO_ENABLED=0
              ${UMBRA_GO} build -trimpath -o ${umbra_yamux_peer}
              ${CMAKE_CURRENT_LIST_DIR}/integration/gateway/yamux_peer.go
      DEPENDS ${CMAKE_CURRENT_LIST_DIR}/integration/gateway/yamux_peer.go VERBATIM)
    add_custom_target(yamux_peer DEPENDS ${umbra_yamux_peer})
    add_dependencies(gateway_interop_test yamux_peer)
  else()
    message(WARNING "The link is not tested against Go's yamux, its tests are skipped: that needs the "
                    "packages golang-1.19-go and golang-github-hashicorp-yamux-dev")
  endif()
endif()
