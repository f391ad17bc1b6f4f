# What tests/bench/tunnel.py loads the tunnels with: see the first lines of each source.
foreach(program IN ITEMS tunnel_backend tunnel_client delay_relay)
  add_executable(${program} ${CMAKE_CURRENT_LIST_DIR}/bench/${program}.cpp)
  target_link_libraries(${program} PRIVATE umbra_build_options Threads::Threads)
endforeach()
