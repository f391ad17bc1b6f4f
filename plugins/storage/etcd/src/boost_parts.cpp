// What Boost compiles once: its JSON, and Asio's TLS (the rest of Asio is compiled for the tree).
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/json/src.hpp>
