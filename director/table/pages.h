#pragma once

#include <cstddef>

namespace lvspec::table {

/// Zeroed memory that the machine provides only as it is touched; large ones in huge pages where it can, because a
/// random access otherwise costs a walk through the page tables on top of the miss.
class Pages {
 public:
  Pages() = default;
  /// Error: std::bad_alloc if there is no address space for it.
  explicit Pages(std::size_t bytes);
  Pages(Pages&& other) noexcept;
  Pages& operator=(Pages&& other) noexcept;
  ~Pages();

  std::byte* data() const { return data_; }

 private:
  std::byte* mapped_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  std::byte* data_ = nullptr;
};

}  // namespace lvspec::table
