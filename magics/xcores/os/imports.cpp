// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/os/imports.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <system_error>
#include <vector>

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

namespace xcores::os {
namespace {

using relocations = std::span<const ElfW(Rela)>;

/// The parts of a loaded object that tell where it keeps the addresses of imported functions.
class loaded_object {
public:
    explicit loaded_object(const void* inside) {
        Dl_info info;
        void* found = nullptr;
        if (::dladdr1(inside, &info, &found, RTLD_DL_LINKMAP) == 0 || !found)
            throw std::system_error(ENOENT, std::generic_category(), "no loaded object");
        const auto& map = *static_cast<const link_map*>(found);
        base_ = map.l_addr;
        for (const auto* entry = map.l_ld; entry->d_tag != DT_NULL; ++entry)
            read(*entry);
        ::dl_iterate_phdr(&find_protected, this);
    }

    std::vector<void**> slots_of(const char* name) const {
        std::vector<void**> found;
        for (const auto& table :
             {relocations{calls_, calls_size_ / sizeof *calls_}, relocations{others_, others_size_ / sizeof *others_}})
            for (const auto& each : table)
                if (const char* const imported = name_of(each); imported && std::strcmp(imported, name) == 0)
                    found.push_back(reinterpret_cast<void**>(base_ + each.r_offset));
        return found;
    }

    /// Whether the dynamic linker has made it read-only.
    bool is_protected(const void* slot) const noexcept {
        const auto address = reinterpret_cast<std::uintptr_t>(slot);
        return address >= protected_start_ && address < protected_end_;
    }

private:
    void read(const ElfW(Dyn) & entry) noexcept {
        // glibc has added the base on most architectures.
        const auto address = entry.d_un.d_ptr < base_ ? base_ + entry.d_un.d_ptr : entry.d_un.d_ptr;
        switch (entry.d_tag) {
        case DT_SYMTAB:
            symbols_ = reinterpret_cast<const ElfW(Sym)*>(address);
            break;
        case DT_STRTAB:
            names_ = reinterpret_cast<const char*>(address);
            break;
        case DT_JMPREL:
            calls_ = reinterpret_cast<const ElfW(Rela)*>(address);
            break;
        case DT_PLTRELSZ:
            calls_size_ = entry.d_un.d_val;
            break;
        case DT_RELA:
            others_ = reinterpret_cast<const ElfW(Rela)*>(address);
            break;
        case DT_RELASZ:
            others_size_ = entry.d_un.d_val;
            break;
        default:
            break;
        }
    }

    const char* name_of(const ElfW(Rela) & relocation) const noexcept {
        const auto index = ELF64_R_SYM(relocation.r_info);
        if (index == 0 || !symbols_ || !names_ || symbols_[index].st_shndx != SHN_UNDEF)
            return nullptr;
        return names_ + symbols_[index].st_name;
    }

    static int find_protected(dl_phdr_info* info, std::size_t, void* data) noexcept {
        auto& self = *static_cast<loaded_object*>(data);
        if (info->dlpi_addr != self.base_)
            return 0;
        for (const auto& each : std::span(info->dlpi_phdr, info->dlpi_phnum))
            if (each.p_type == PT_GNU_RELRO) {
                self.protected_start_ = self.base_ + each.p_vaddr;
                self.protected_end_ = self.protected_start_ + each.p_memsz;
            }
        return 1;
    }

    std::uintptr_t base_ = 0;
    const ElfW(Sym) * symbols_ = nullptr;
    const char* names_ = nullptr;
    const ElfW(Rela) * calls_ = nullptr;
    std::size_t calls_size_ = 0; ///< in bytes
    const ElfW(Rela) * others_ = nullptr;
    std::size_t others_size_ = 0; ///< in bytes
    std::uintptr_t protected_start_ = 0;
    std::uintptr_t protected_end_ = 0;
};

void protect(const void* slot, int protection) {
    const auto size = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto page = reinterpret_cast<std::uintptr_t>(slot) / size * size;
    if (::mprotect(reinterpret_cast<void*>(page), size, protection) != 0)
        throw std::system_error(errno, std::generic_category(), "mprotect of a global offset table");
}

void write(const loaded_object& where, void** slot, const void* replacement) {
    const bool is_protected = where.is_protected(slot);
    if (is_protected)
        protect(slot, PROT_READ | PROT_WRITE);
    std::atomic_ref(*slot).store(const_cast<void*>(replacement), std::memory_order_release);
    if (is_protected)
        protect(slot, PROT_READ);
}

} // namespace

void replace_imports(const void* inside, std::span<const replaced_import> all) {
    const loaded_object object(inside);
    std::vector<std::vector<void**>> slots;
    for (const auto& each : all) {
        slots.push_back(object.slots_of(each.name));
        if (slots.back().empty())
            throw std::system_error(ENOENT, std::generic_category(), each.name);
    }
    for (std::size_t i = 0; i < all.size(); ++i)
        for (void** const slot : slots[i])
            write(object, slot, all[i].replacement);
}

} // namespace xcores::os
