cmake_minimum_required(VERSION 3.25)
# Plays every trace on both directors: cmake -DLVSPEC=... -DTRACES=... -P traces_test.cmake
# A machine that cannot boot a guest skips them, with the reason, unless LVSPEC_REQUIRE names uml.
file(GLOB traces ${TRACES}/*.json)
if(NOT traces)
  message(FATAL_ERROR "no traces in ${TRACES}")
endif()
list(TRANSFORM traces PREPEND "--replay;")
execute_process(COMMAND ${LVSPEC} fuzz ${traces}
  RESULT_VARIABLE status OUTPUT_VARIABLE text ERROR_VARIABLE text ECHO_OUTPUT_VARIABLE ECHO_ERROR_VARIABLE)
if(status EQUAL 4 AND NOT "$ENV{LVSPEC_REQUIRE}" MATCHES "uml")
  message(STATUS "SKIPPED: needs uml")
elseif(NOT status EQUAL 0)
  message(FATAL_ERROR "lvspec fuzz --replay ended with ${status}")
endif()
