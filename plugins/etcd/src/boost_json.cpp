// Boost.JSON, for programs where runtime/base does not bring it.
#include <boost/json/src.hpp>
