# A room is one folder: a library that others use by the path of its headers, "harness/netns/namespace.h".
#
#   lvspec_room(harness/netns SOURCES namespace.cc USES harness/base)
#   lvspec_room_test(harness/netns SOURCES namespace_test.cc)
#
# Headers are found through a folder of links that holds this room alone (build/rooms/harness.netns/harness/netns ->
# the sources), and a room gets only the folders of the rooms it names in USES. So an arrow that the design does not
# draw ends in "No such file or directory" instead of in a review.

function(lvspec_room_target PATH OUT)
  string(REPLACE "/" "_" target "${PATH}")
  set(${OUT} lvspec_${target} PARENT_SCOPE)
endfunction()

function(lvspec_room_includes PATH OUT)
  string(REPLACE "/" "." name "${PATH}")
  set(root ${CMAKE_BINARY_DIR}/rooms/${name})
  get_filename_component(parent ${root}/${PATH} DIRECTORY)
  file(MAKE_DIRECTORY ${parent})
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${PATH} ${root}/${PATH} SYMBOLIC)
  set(${OUT} ${root} PARENT_SCOPE)
endfunction()

# lvspec_room(PATH [AS TARGET] [SOURCES file...] [USES room...] [LINKS target...] [DEFINES name...])
# Without SOURCES the room is headers only. AS names a second build of the same room under another target.
function(lvspec_room PATH)
  cmake_parse_arguments(ROOM "" "AS" "SOURCES;USES;LINKS;DEFINES" ${ARGN})
  lvspec_room_target(${PATH} target)
  if(ROOM_AS)
    set(target ${ROOM_AS})
  endif()
  lvspec_room_includes(${PATH} includes)
  if(ROOM_SOURCES)
    list(TRANSFORM ROOM_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/${PATH}/)
    add_library(${target} STATIC ${ROOM_SOURCES})
    set(scope PUBLIC)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope} ${includes})
  target_compile_definitions(${target} ${scope} ${ROOM_DEFINES})
  foreach(used IN LISTS ROOM_USES)
    lvspec_room_target(${used} used_target)
    target_link_libraries(${target} ${scope} ${used_target})
  endforeach()
  target_link_libraries(${target} ${scope} ${ROOM_LINKS})
endfunction()

# lvspec_room_test(PATH SOURCES file... [USES room...] [LINKS target...])
# One test program a room, run by ctest as unit.<room>, label "unit".
function(lvspec_room_test PATH)
  cmake_parse_arguments(ROOM "" "" "SOURCES;USES;LINKS" ${ARGN})
  lvspec_room_target(${PATH} target)
  list(TRANSFORM ROOM_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/${PATH}/)
  add_executable(${target}_test ${ROOM_SOURCES})
  target_link_libraries(${target}_test PRIVATE ${target} GTest::gmock_main ${ROOM_LINKS})
  # Tests are compiled more often than they are waited for.
  target_compile_options(${target}_test PRIVATE -O0)
  foreach(used IN LISTS ROOM_USES)
    lvspec_room_target(${used} used_target)
    target_link_libraries(${target}_test PRIVATE ${used_target})
  endforeach()
  string(REPLACE "/" "." name "${PATH}")
  add_test(NAME unit.${name} COMMAND ${target}_test)
  set_tests_properties(unit.${name} PROPERTIES LABELS unit TIMEOUT 120
    ENVIRONMENT "LVSPEC_FIXTURES=${PROJECT_SOURCE_DIR}/fixtures")
endfunction()

# lvspec_room_header(PATH/TO/HEADER AS TARGET [LINKS target...])
# One header of a room for others to see, without the rest of it.
function(lvspec_room_header HEADER)
  cmake_parse_arguments(ROOM "" "AS" "LINKS" ${ARGN})
  set(root ${CMAKE_BINARY_DIR}/rooms/${ROOM_AS})
  get_filename_component(parent ${root}/${HEADER} DIRECTORY)
  file(MAKE_DIRECTORY ${parent})
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${HEADER} ${root}/${HEADER} SYMBOLIC)
  add_library(${ROOM_AS} INTERFACE)
  target_include_directories(${ROOM_AS} INTERFACE ${root})
  target_link_libraries(${ROOM_AS} INTERFACE ${ROOM_LINKS})
endfunction()
