// The one translation unit that holds Boost.JSON, which is used header-only. Whoever includes
// <boost/json.hpp> links umbra_base.
#include <boost/json/src.hpp>
