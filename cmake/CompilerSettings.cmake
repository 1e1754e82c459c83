# Language level, warnings, hardening and sanitizers, the same for every target of ours.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

option(PAWL_WERROR "Warnings are errors" OFF)
set(PAWL_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize= (address,undefined or thread)")

find_program(ccache ccache)
if(ccache)
  set(CMAKE_C_COMPILER_LAUNCHER ${ccache})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ccache})
endif()
find_program(mold mold)
if(mold)
  add_link_options(-fuse-ld=mold)
endif()

add_library(pawl_settings INTERFACE)
target_include_directories(pawl_settings INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(pawl_settings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=
  $<$<BOOL:${PAWL_WERROR}>:-Werror>)
target_compile_definitions(pawl_settings INTERFACE $<$<CONFIG:Release>:_GLIBCXX_ASSERTIONS>)
if(PAWL_SANITIZE)
  add_compile_options(-fsanitize=${PAWL_SANITIZE} -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${PAWL_SANITIZE})
endif()
