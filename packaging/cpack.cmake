# Three packages from one build: umbra, umbra-gateway, umbra-sdk-dev.
#   cpack -G DEB        also: -G TGZ, and -G RPM where rpmbuild is
set(CPACK_PACKAGE_NAME umbra)
set(CPACK_PACKAGE_VENDOR "The Umbra developers")
set(CPACK_PACKAGE_CONTACT "The Umbra developers <umbra@localhost.invalid>")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
# One summary for three packages would go in front of the one that each has.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_GENERATOR DEB TGZ)
find_program(UMBRA_RPMBUILD rpmbuild)
if(UMBRA_RPMBUILD)
  list(APPEND CPACK_GENERATOR RPM)
endif()
set(CPACK_STRIP_FILES ON)
# Configuration lies outside of the prefix, so everything is staged below one root.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL runtime gateway sdk)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_CHECKSUM SHA256)

set(umbra_summary_runtime "on-premises connector that runs as a high-availability pair")
string(CONCAT umbra_about_runtime
    "Umbra operates an on-premises connector as two instances: a master, which\n"
    "holds the tunnel to the cloud, and a shadow, which follows it and takes its\n"
    "place when it is gone. Configuration edits are durable on both instances\n"
    "before they are acknowledged, and an epoch kept at the gateway makes sure\n"
    "that no two instances ever serve at the same time.\n.\n"
    "This package contains the program umbra, its plugins and the service unit.")
set(umbra_summary_gateway "cloud end of the tunnels of Umbra instances")
string(CONCAT umbra_about_gateway
    "Umbra operates an on-premises connector as a high-availability pair. The\n"
    "instances dial out to a gateway, which cloud clients connect to; it keeps\n"
    "the register of epochs that decides which instance may serve, and parks\n"
    "new clients while the roles change.\n.\n"
    "This package contains the program umbra-gateway and its service unit. It\n"
    "needs nothing else of Umbra.")
set(umbra_summary_sdk "headers and CMake package for plugins of Umbra")
string(CONCAT umbra_about_sdk
    "Umbra loads its transports, configuration stores, health probes and tunnel\n"
    "providers at run time. This package contains what their authors need: the\n"
    "binary interface, the C++20 headers over it (standard library only), and\n"
    "a CMake package, found by find_package(umbra-sdk).")

# --- archives -------------------------------------------------------------------------------------
set(CPACK_ARCHIVE_COMPONENT_INSTALL ON)
set(umbra_archive ${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR})
string(TOLOWER "${umbra_archive}" umbra_archive)
set(CPACK_ARCHIVE_RUNTIME_FILE_NAME umbra-${umbra_archive})
set(CPACK_ARCHIVE_GATEWAY_FILE_NAME umbra-gateway-${umbra_archive})
set(CPACK_ARCHIVE_SDK_FILE_NAME umbra-sdk-dev-${PROJECT_VERSION})

# --- deb ------------------------------------------------------------------------------------------
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME umbra)
set(CPACK_DEBIAN_GATEWAY_PACKAGE_NAME umbra-gateway)
set(CPACK_DEBIAN_SDK_PACKAGE_NAME umbra-sdk-dev)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION net)
set(CPACK_DEBIAN_GATEWAY_PACKAGE_SECTION net)
set(CPACK_DEBIAN_SDK_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_SDK_PACKAGE_ARCHITECTURE all)
foreach(component IN ITEMS runtime gateway sdk)
  string(TOUPPER ${component} upper)
  set(CPACK_COMPONENT_${upper}_DESCRIPTION "${umbra_summary_${component}}\n${umbra_about_${component}}")
  set(CPACK_DEBIAN_${upper}_DESCRIPTION "${CPACK_COMPONENT_${upper}_DESCRIPTION}")
  set(CPACK_DEBIAN_${upper}_PACKAGE_PRIORITY optional)
endforeach()
foreach(pair IN ITEMS RUNTIME:umbra GATEWAY:umbra-gateway)
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 component)
  list(GET pair 1 package)
  # The programs make their user with adduser; libraries are found by dpkg-shlibdeps.
  set(CPACK_DEBIAN_${component}_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_${component}_PACKAGE_DEPENDS "adduser, init-system-helpers (>= 1.54~)")
  set(scripts ${CMAKE_CURRENT_SOURCE_DIR}/deb/${package})
  set(CPACK_DEBIAN_${component}_PACKAGE_CONTROL_EXTRA
      "${scripts}/conffiles;${scripts}/postinst;${scripts}/prerm;${scripts}/postrm")
endforeach()
set(CPACK_DEBIAN_SDK_PACKAGE_RECOMMENDS "cmake (>= 3.24), g++ (>= 4:12)")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SUGGESTS "openssh-client, umbra-sdk-dev")

# --- rpm ------------------------------------------------------------------------------------------
set(CPACK_RPM_COMPONENT_INSTALL ON)
set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_LICENSE "Apache-2.0")
set(CPACK_PACKAGE_RELOCATABLE OFF)
set(CPACK_RPM_SPEC_MORE_DEFINE "%define _build_id_links none")
set(CPACK_RPM_RUNTIME_PACKAGE_NAME umbra)
set(CPACK_RPM_GATEWAY_PACKAGE_NAME umbra-gateway)
set(CPACK_RPM_SDK_PACKAGE_NAME umbra-sdk-devel)
set(CPACK_RPM_SDK_PACKAGE_ARCHITECTURE noarch)
foreach(component IN ITEMS runtime gateway sdk)
  string(TOUPPER ${component} upper)
  set(CPACK_RPM_${upper}_PACKAGE_SUMMARY "${umbra_summary_${component}}")
  set(CPACK_RPM_${upper}_PACKAGE_DESCRIPTION "${umbra_about_${component}}")
endforeach()
set(CPACK_RPM_RUNTIME_USER_FILELIST
    "%config(noreplace) /etc/umbra/pair-alpha.toml.example"
    "%config(noreplace) /etc/umbra/pair-beta.toml.example"
    "%config(noreplace) /etc/umbra/shared-gateways.toml.example"
    "%config(noreplace) /etc/umbra/shared-mappings.toml.example"
    "%config(noreplace) /etc/umbra/shared-ssh.toml.example"
    "%config(noreplace) /etc/umbra/shared.toml.example")
set(CPACK_RPM_GATEWAY_USER_FILELIST
    "%config(noreplace) /etc/umbra-gateway/gateway-etcd.toml.example"
    "%config(noreplace) /etc/umbra-gateway/gateway.toml.example")
set(CPACK_RPM_RUNTIME_PACKAGE_REQUIRES_PRE "shadow-utils")
set(CPACK_RPM_GATEWAY_PACKAGE_REQUIRES_PRE "shadow-utils")
set(CPACK_RPM_RUNTIME_PRE_INSTALL_SCRIPT_FILE ${CMAKE_CURRENT_SOURCE_DIR}/rpm/umbra.pre)
set(CPACK_RPM_GATEWAY_PRE_INSTALL_SCRIPT_FILE ${CMAKE_CURRENT_SOURCE_DIR}/rpm/umbra-gateway.pre)
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION
    /etc /usr/lib/systemd /usr/lib/systemd/system /usr/share/man /usr/share/man/man1
    /usr/lib/cmake /usr/share/doc)

include(CPack)
