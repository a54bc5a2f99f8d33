cmake_minimum_required(VERSION 3.25)
# Runs all suites on the kernel's own IPVS: cmake -DLVSPEC=... -DOUT=... -P ipvs_test.cmake
# A machine without user-mode-linux skips them, with the reason, unless LVSPEC_REQUIRE names uml.
execute_process(COMMAND ${LVSPEC} run --director ipvs --out ${OUT}
  RESULT_VARIABLE status OUTPUT_VARIABLE text ERROR_VARIABLE text ECHO_OUTPUT_VARIABLE ECHO_ERROR_VARIABLE)
if(status EQUAL 4 AND text MATCHES "user-mode-linux" AND NOT "$ENV{LVSPEC_REQUIRE}" MATCHES "uml")
  message(STATUS "SKIPPED: needs uml (Debian's package user-mode-linux)")
elseif(NOT status EQUAL 0)
  message(FATAL_ERROR "lvspec run --director ipvs ended with ${status}")
endif()
