#ifndef ECHO_BASE_DESCRIPTOR_LIMIT_H_
#define ECHO_BASE_DESCRIPTOR_LIMIT_H_

#include <cstdint>

namespace echod {

// Raises the process's soft limit of descriptors to the hard one, since a
// connection takes a descriptor and the usual soft limit is 1,024. Returns how
// many it may have now.
std::uint64_t RaiseDescriptorLimit();

// How many descriptors below `limit` are not in use, up to `enough`: whoever
// started the process may have left it many.
std::uint64_t CountFreeDescriptors(std::uint64_t limit, std::uint64_t enough);

}  // namespace echod

#endif  // ECHO_BASE_DESCRIPTOR_LIMIT_H_
