// A GoogleTest program whose machine is a user-mode-linux guest: PID 1, started by uml_test.cc.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "harness/lab/uml/guest_init.h"

int main(int count, char** arguments) {
  if (!lvspec::is_guest_init()) {
    std::fprintf(stderr,
                 "lvspec_ipvs_guest_test: not PID 1 of a guest that lvspec has started; use lvspec_ipvs_uml_test\n");
    return 2;
  }
  lvspec::run_guest_init({}, [&] {
    ::testing::InitGoogleMock(&count, arguments);
    return RUN_ALL_TESTS();
  });
}
