// Asio's TLS, compiled once; the rest of Asio is compiled for the tree.
#include <boost/asio/ssl/impl/src.hpp>
