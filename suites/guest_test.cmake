cmake_minimum_required(VERSION 3.25)
# Runs all suites on a kernel's own IPVS: cmake -DLVSPEC=... -DOUT=... -DLAB=uml -P guest_test.cmake
# A machine that cannot boot a guest skips them, with the reason, unless LVSPEC_REQUIRE names the lab.
execute_process(COMMAND ${LVSPEC} run --director ipvs --lab ${LAB} --out ${OUT}
  RESULT_VARIABLE status OUTPUT_VARIABLE text ERROR_VARIABLE text ECHO_OUTPUT_VARIABLE ECHO_ERROR_VARIABLE)
# A run that never came to its table was refused before it began; whatever else fails has failed.
if(status EQUAL 4 AND NOT text MATCHES "\ntotal " AND NOT "$ENV{LVSPEC_REQUIRE}" MATCHES "${LAB}")
  message(STATUS "SKIPPED: needs ${LAB}")
elseif(NOT status EQUAL 0)
  message(FATAL_ERROR "lvspec run --director ipvs --lab ${LAB} ended with ${status}")
endif()
