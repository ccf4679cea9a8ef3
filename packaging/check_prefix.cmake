# Paths are written into the unit when the build is configured.
if(NOT CPACK_INSTALL_PREFIX STREQUAL "/usr")
  message(FATAL_ERROR "A package is for the prefix /usr: configure the build with -DCMAKE_INSTALL_PREFIX=/usr")
endif()
