// Guests of qemu with lvspec_qemu_probe as their init, on a Debian kernel that is installed or in the cache. Only
// where the machine must be able to run them (LVSPEC_REQUIRE=qemu), a kernel that is not there is fetched.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>

#include "harness/base/cleanup.h"
#include "harness/lab/guest/init.h"
#include "harness/lab/qemu/debian_kernel.h"
#include "harness/lab/qemu/evidence_line.h"
#include "harness/lab/qemu/initramfs.h"
#include "harness/lab/qemu/module_set.h"
#include "harness/lab/qemu/qemu_guest.h"
#include "harness/process/child.h"

namespace lvspec {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Lt;

std::string content_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

/// A folder of its own for a test, gone with it.
class Folder {
 public:
  Folder() {
    char name[] = "/tmp/lvspec-qemu-XXXXXX";
    path_ = mkdtemp(name);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }
  std::string put(const std::string& name, const std::string& content) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << content;
    return path_ / name;
  }

 private:
  fs::path path_;
};

/// What a boot sector of an x86-64 kernel of that release looks like to us.
std::string boot_header(const std::string& release) {
  std::string head(4096, '\0');
  head.replace(0x202, 4, "HdrS");
  head[0x20f] = 4;  // kernel_version: 0x400, from 0x200 on
  head[0x236] = 1;  // xloadflags: XLF_KERNEL_64
  head.replace(0x600, release.size(), release);
  return head;
}

TEST(KernelRelease, IsReadFromTheBootHeader) {
  const Folder folder;
  EXPECT_EQ(release_of(folder.put("vmlinuz", boot_header("6.1.0-9-amd64 (us@x) #1 SMP"))).value(), "6.1.0-9-amd64");
}

TEST(KernelRelease, SaysWhatAFileIsInstead) {
  const Folder folder;
  std::string arm(4096, '\0');
  arm.replace(56, 4, "ARM\x64");
  std::string narrow = boot_header("6.1.0");
  narrow[0x236] = 0;
  EXPECT_THAT(release_of(folder.put("a", arm)).error().message, HasSubstr("a kernel for arm64"));
  EXPECT_THAT(release_of(folder.put("b", narrow)).error().message, HasSubstr("a 32-bit kernel"));
  EXPECT_THAT(release_of(folder.put("c", "hello")).error().message, HasSubstr("not a Linux kernel"));
  EXPECT_THAT(release_of("/bin/true").error().message, HasSubstr("an ELF file"));
  EXPECT_THAT(release_of("/nowhere").error().message, HasSubstr("ENOENT"));
}

TEST(FindKernel, TakesModulesBesideTheKernelOrWhereItIsTold) {
  const Folder folder;
  const std::string kernel = folder.put("boot/vmlinuz-6.1.0-9", boot_header("6.1.0-9 x"));
  EXPECT_THAT(find_kernel(kernel).error().message, HasSubstr("no modules of 6.1.0-9"));
  folder.put("lib/modules/6.1.0-9/kernel/x", "");
  const std::string modules = folder.path() / "lib/modules/6.1.0-9";
  EXPECT_EQ(find_kernel(kernel).value().modules, modules);
  EXPECT_EQ(find_kernel(kernel, modules).value().modules, modules);
  EXPECT_EQ(find_kernel(kernel, folder.path() / "lib/modules").value().modules, modules);
}

TEST(FindKernel, NamesWhatDoesNotFit) {
  const Folder folder;
  const std::string kernel = folder.put("vmlinuz", boot_header("6.1.0-9 x"));
  folder.put("modules/5.10.0-1/kernel/x", "");
  EXPECT_THAT(find_kernel(kernel, folder.path() / "modules").error().message,
              AllOf(HasSubstr("no modules of 6.1.0-9"), HasSubstr("it has those of 5.10.0-1")));
  EXPECT_THAT(find_kernel(kernel, "/nowhere").error().message, HasSubstr("no such directory"));
  EXPECT_THAT(find_kernel("debian:bookworm").error().message, HasSubstr("a version like 6.1"));
  EXPECT_THAT(find_kernel("debian:6.1", "/lib/modules").error().message, HasSubstr("leave out --modules"));
  EXPECT_THAT(find_kernel_here("debian:1.0").error().message, HasSubstr("neither installed nor in"));
}

/// Debian's archive in a folder, with one kernel in its backports, signed as Debian signs: in the text of InRelease.
class Archive {
 public:
  /// @return what is missing to make one; empty if it stands
  std::string make() {
    kernel_.put("deb/boot/vmlinuz-6.12.9+deb12-cloud-amd64", boot_header("6.12.9+deb12-cloud-amd64 (us@x) #1 SMP"));
    kernel_.put("deb/lib/modules/6.12.9+deb12-cloud-amd64/kernel/x.ko", "");
    kernel_.put("deb/DEBIAN/control",
                "Package: linux-image-6.12.9+deb12-cloud-amd64\nVersion: 6.12.9-1\nArchitecture: amd64\n"
                "Maintainer: us <us@x>\nDescription: a kernel\n");
    for (const char* program : {"/usr/bin/gpg", "/usr/bin/gpgv", "/usr/bin/dpkg-deb", "/usr/bin/apt-get"})
      if (access(program, X_OK) != 0) return std::string("needs ") + program;
    auto made =
        Child::start({.argv = {"sh", LVSPEC_MAKE_TEST_ARCHIVE, kernel_.path()}, .fds = {}, .environment = {}});
    if (!made.ok()) return made.error().message;
    made->wait(seconds(60));
    archive.mirror = "file:" + (kernel_.path() / "mirror").string();
    archive.keyring = kernel_.path() / "keyring.gpg";
    archive.suites = {"bookworm", "bookworm-backports"};
    if (made->status_text() == "exited with 0") return "";
    return "its making " + made->status_text() + ": " + made->output();
  }
  fs::path file(const std::string& name) const { return kernel_.path() / name; }

  DebianArchive archive;

 private:
  Folder kernel_;
};

class FetchKernel : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string lacks = archive_.make();
    if (lacks.starts_with("needs")) GTEST_SKIP() << lacks;
    ASSERT_EQ(lacks, "");
    const char* cache = getenv("XDG_CACHE_HOME");
    if (cache != nullptr) cache_before_ = cache;
    setenv("XDG_CACHE_HOME", cache_.path().c_str(), 1);
  }
  void TearDown() override {
    if (cache_before_)
      setenv("XDG_CACHE_HOME", cache_before_->c_str(), 1);
    else
      unsetenv("XDG_CACHE_HOME");
  }
  /// What is left in our cache.
  std::vector<std::string> cached() const {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(cache_.path() / "lvspec/kernels", error))
      names.push_back(entry.path().filename());
    return names;
  }

  Archive archive_;
  Folder cache_;
  std::optional<std::string> cache_before_;
};

TEST_F(FetchKernel, FromBackportsThatTheMachineHasNotSwitchedOn) {
  const Status fetched = fetch_kernel("6.12", archive_.archive);
  ASSERT_TRUE(fetched.ok()) << fetched.error().message;
  const auto kernel = find_kernel_here("debian:6.12");
  ASSERT_TRUE(kernel.ok()) << kernel.error().message;
  EXPECT_EQ(kernel->release, "6.12.9+deb12-cloud-amd64");
  EXPECT_TRUE(fs::exists(fs::path(kernel->modules) / "kernel/x.ko"));
  EXPECT_THAT(cached(), ElementsAre("linux-image-6.12.9+deb12-cloud-amd64"));  // and no lists of apt's
}

TEST_F(FetchKernel, SaysWhereItLookedForASeriesThatIsNowhere) {
  const Status fetched = fetch_kernel("6.13", archive_.archive);
  ASSERT_FALSE(fetched.ok());
  EXPECT_EQ(fetched.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(fetched.error().message,
              AllOf(HasSubstr(archive_.archive.mirror), HasSubstr("no linux-image-6.13.*-cloud-amd64"),
                    HasSubstr("bookworm, bookworm-backports")));
  EXPECT_THAT(cached(), ElementsAre());
}

TEST_F(FetchKernel, TrustsNothingThatTheKeyringDidNotSign) {
  const fs::path lists = archive_.file("mirror/dists/bookworm-backports/main/binary-amd64/Packages");
  std::ofstream(lists, std::ios::app) << "\n";
  EXPECT_THAT(fetch_kernel("6.12", archive_.archive).error().message, HasSubstr("Hash Sum mismatch"));
  archive_.archive.keyring = "/nowhere/keyring.gpg";
  EXPECT_THAT(fetch_kernel("6.12", archive_.archive).error().message, HasSubstr("debian-archive-keyring"));
  archive_.archive.keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
  if (access(archive_.archive.keyring.c_str(), R_OK) == 0) {
    EXPECT_THAT(fetch_kernel("6.12", archive_.archive).error().message, HasSubstr("not signed"));
  }
  EXPECT_THAT(cached(), ElementsAre());
}

TEST_F(FetchKernel, NamesAMirrorThatIsNotThere) {
  archive_.archive.mirror = "file:/nowhere/mirror";
  EXPECT_THAT(fetch_kernel("6.12", archive_.archive).error().message, HasSubstr("/nowhere/mirror"));
}

TEST(DebianArchive, IsTheMachinesReleaseItsBackportsAndThoseOfDebian12OnTheMachinesMirror) {
  const std::string twelve = "ID=debian\nVERSION_CODENAME=bookworm\n";
  EXPECT_THAT(debian_archive(twelve, "").suites, ElementsAre("bookworm", "bookworm-backports"));
  EXPECT_EQ(debian_archive(twelve, "").mirror, "http://deb.debian.org/debian");
  EXPECT_THAT(debian_archive("ID=debian\nVERSION_CODENAME=\"trixie\"\n", "").suites,
              ElementsAre("trixie", "trixie-backports", "bookworm", "bookworm-backports"));
  EXPECT_THAT(debian_archive("VERSION_CODENAME=noble\nID=ubuntu\n", "").suites,
              ElementsAre("bookworm", "bookworm-backports"));
  EXPECT_THAT(debian_archive("", "").suites, ElementsAre("bookworm", "bookworm-backports"));
  EXPECT_EQ(debian_archive(twelve,
                           "bookworm https://download.example.net/debian Example\n"
                           "bookworm-security http://mirror.example.net/debian-security/ Debian\n"
                           "bookworm http://mirror.example.net/debian/ Debian\n")
                .mirror,
            "http://mirror.example.net/debian/");
}

TEST(ModuleSet, NamesTheIpvsThatAKernelDoesNotHave) {
  const Folder folder;
  folder.put("6.1.0-9/modules.builtin", "kernel/net/ipv6/ipv6.ko\n");
  folder.put("6.1.0-9/kernel/other.ko", "");
  const std::string dir = folder.path() / "6.1.0-9";
  EXPECT_TRUE(modules_in_load_order(dir, {"ipv6"}).value().empty());
  EXPECT_THAT(modules_in_load_order(dir, {"ip_vs"}).error().message,
              AllOf(HasSubstr("6.1.0-9: no module ip_vs"), HasSubstr("without that part of IPVS")));
  EXPECT_THAT(modules_in_load_order(folder.path(), {"ip_vs"}).error().message, HasSubstr("--modules names"));
}

TEST(ModuleInfo, OfWhatIsNoModuleIsEmpty) {
  EXPECT_TRUE(module_info("", "depends").empty());
  std::string broken = content_of("/bin/true").substr(0, 100);
  EXPECT_TRUE(module_info(broken, "depends").empty());
}

TEST(SharedLibraries, AreThoseOfTheLoader) {
  EXPECT_THAT(shared_libraries(LVSPEC_QEMU_PROBE).value(), Contains(HasSubstr("/libc.so.6")));
  EXPECT_THAT(shared_libraries("/etc/passwd").error().message, HasSubstr("no ELF file"));
}

TEST(EvidenceLine, BringsAFolderAcross) {
  const Folder from, to;
  from.put("a", "one\n");
  from.put("deep/b", std::string("\0\r\n", 3));
  to.put("kept", "there before");
  const FileDescriptor line(memfd_create("line", MFD_CLOEXEC));
  ASSERT_TRUE(send_folder(from.path(), line.get()).ok());
  ASSERT_TRUE(receive_folder(line.get(), to.path()).ok());
  EXPECT_EQ(content_of(to.path() / "a"), "one\n");
  EXPECT_EQ(content_of(to.path() / "deep/b"), std::string("\0\r\n", 3));
  EXPECT_EQ(content_of(to.path() / "kept"), "there before");
}

TEST(EvidenceLine, RefusesToBeLedOutAndTellsWhereItBrokeOff) {
  const Folder to;
  const auto receive = [&to](const std::string& sent) {
    const FileDescriptor line(memfd_create("line", MFD_CLOEXEC));
    EXPECT_EQ(write(line.get(), sent.data(), sent.size()), static_cast<ssize_t>(sent.size()));
    const Status status = receive_folder(line.get(), to.path());
    return status.ok() ? std::string() : status.error().message;
  };
  EXPECT_EQ(receive(""), "");
  EXPECT_EQ(receive("end\n"), "");
  EXPECT_THAT(receive("1 ../x\nyend\n"), HasSubstr("leads out"));
  EXPECT_THAT(receive("1 /tmp/x\nyend\n"), HasSubstr("leads out"));
  EXPECT_THAT(receive("1 x\ny"), HasSubstr("broke off"));
  EXPECT_THAT(receive("9 x\ny"), HasSubstr("broke off"));
}

TEST(QemuCommandLine, CarriesArgumentsAndRefusesWhatItCannotCarry) {
  QemuOptions options;
  options.init = "/bin/lvspec";
  options.args = {"run", "two words"};
  const auto words = qemu_command_line(options, {}).value();
  EXPECT_THAT(words.back(), AllOf(HasSubstr("rdinit=/bin/lvspec "), HasSubstr(" -- run \"two words\"")));
  EXPECT_THAT(words, Contains("shift=3,sleep=off"));
  EXPECT_THAT(words, Contains("qemu64,+rdrand,+arat,-cx16"));
  options.args = {"a\"b"};
  EXPECT_EQ(qemu_command_line(options, {}).error().kind, ErrorKind::kUsage);
  options.args = {std::string(2048, 'x')};
  EXPECT_EQ(qemu_command_line(options, {}).error().kind, ErrorKind::kUsage);
  options.args = {};
  options.accel = "hvf";
  EXPECT_THAT(qemu_command_line(options, {}).error().message, HasSubstr("--accel hvf"));
}

struct GuestRun {
  std::vector<std::string> lines;
  Result<GuestExit> exit = Error{"did not run"};
};

class Qemu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (LVSPEC_SANITIZED) GTEST_SKIP() << "a sanitized program needs more memory than a guest has";
    const char* required = getenv("LVSPEC_REQUIRE");
    must_ = required != nullptr && ("," + std::string(required) + ",").find(",qemu,") != std::string::npos;
    const auto kernel = must_ ? find_kernel("debian:6.1") : find_kernel_here("debian:6.1");
    std::string lacks;
    if (access("/usr/bin/qemu-system-x86_64", X_OK) != 0) lacks = "Debian's package qemu-system-x86";
    if (!kernel.ok()) lacks = kernel.error().message;
    if (lacks.empty()) {
      kernel_ = *kernel;
      return;
    }
    if (must_) FAIL() << "needs qemu: " << lacks;
    GTEST_SKIP() << "needs qemu: " << lacks;
  }

  GuestRun run(std::vector<std::string> args, QemuOptions options = {}, std::vector<std::string> modules = {}) {
    GuestRun run;
    auto initramfs = build_initramfs(
        {.programs = {LVSPEC_QEMU_PROBE}, .trees = {}, .modules_dir = kernel_.modules, .modules = modules});
    if (!initramfs.ok()) {
      run.exit = initramfs.error();
      return run;
    }
    options.kernel = kernel_.vmlinuz;
    options.initramfs = std::make_shared<FileDescriptor>(std::move(*initramfs));
    options.init = LVSPEC_QEMU_PROBE;
    options.args = std::move(args);
    options.on_line = [&run](std::string_view line) { run.lines.emplace_back(line); };
    auto guest = QemuGuest::start(std::move(options));
    run.exit = guest.ok() ? guest->wait() : Result<GuestExit>(guest.error());
    if (run.exit.ok())
      std::cout << "  virtual " << run.exit->virtual_.count() << " ms, wall " << run.exit->wall.count() << " ms\n";
    return run;
  }

  bool must_ = false;  ///< this machine is one that can, or the test fails
  GuestKernel kernel_;
};

TEST_F(Qemu, BootsADistributionsKernelWithItsIpvs) {
  const GuestRun guest = run({"look"}, {}, ipvs_modules());
  ASSERT_TRUE(guest.exit.ok()) << guest.exit.error().message;
  EXPECT_THAT(guest.lines, Contains("release " + kernel_.release));
  EXPECT_THAT(guest.lines, Contains(HasSubstr("ipvs IP Virtual Server version")));
}

// Which no machine has among its own lists that has not been told to: Debian 12 has it in its backports.
TEST_F(Qemu, BootsAKernelOfTheBackportsWithItsIpvs) {
  const auto kernel = must_ ? find_kernel("debian:6.12") : find_kernel_here("debian:6.12");
  if (!must_ && !kernel.ok()) GTEST_SKIP() << "needs a kernel: " << kernel.error().message;
  ASSERT_TRUE(kernel.ok()) << kernel.error().message;
  kernel_ = *kernel;
  const GuestRun guest = run({"look"}, {}, ipvs_modules());
  ASSERT_TRUE(guest.exit.ok()) << guest.exit.error().message;
  EXPECT_THAT(guest.lines, Contains("release " + kernel->release));
  EXPECT_THAT(guest.lines, Contains(HasSubstr("ipvs IP Virtual Server version")));
}

TEST_F(Qemu, AnHourIsSkippedAndTheStatusAndTheEvidenceComeBack) {
  const Folder out;
  QemuOptions options;
  options.writable_dir = out.path();
  const GuestRun sleeper = run({"sleep", "3600"});
  ASSERT_TRUE(sleeper.exit.ok()) << sleeper.exit.error().message;
  EXPECT_THAT(sleeper.exit->virtual_, Ge(seconds(3600)));
  EXPECT_THAT(sleeper.exit->wall, Lt(seconds(600)));
  const GuestRun writer = run({"write", out.path(), "evidence"}, options);
  ASSERT_TRUE(writer.exit.ok()) << writer.exit.error().message;
  EXPECT_EQ(content_of(out.path() / "evidence"), "evidence");
  EXPECT_EQ(content_of(out.path() / "zeros"), std::string(100'000, '\n'));
  EXPECT_EQ(run({"exit", "3"}).exit.value().status, 3);
}

TEST_F(Qemu, ACrashOfItsInitIsAPanicAndAHangIsKilled) {
  const GuestRun crash = run({"abort"});
  ASSERT_FALSE(crash.exit.ok());
  EXPECT_THAT(crash.exit.error().message, HasSubstr("Kernel panic - not syncing: Attempted to kill init!"));
  QemuOptions options;
  options.time_limit = seconds(2);
  const GuestRun hang = run({"spin"}, options);
  ASSERT_FALSE(hang.exit.ok());
  EXPECT_THAT(hang.exit.error().message, HasSubstr("it had not ended after 2000 ms"));
}

TEST_F(Qemu, NamesTheProgramAndTheKvmThatAreNotThere) {
  QemuOptions options;
  options.program = "/nowhere/qemu";
  EXPECT_THAT(run({"look"}, options).exit.error().message, HasSubstr("package qemu-system-x86"));
  if (access("/dev/kvm", R_OK | W_OK) == 0) return;
  options.accel = "kvm";
  EXPECT_THAT(run({"look"}, options).exit.error().message, HasSubstr("no KVM for this user"));
}

}  // namespace
}  // namespace lvspec
