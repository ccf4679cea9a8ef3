# Installs the documents and the example scenarios with what a user of the package has: run by `cmake --install`, with
#
#     SOURCE                the tree
#     WORK                  a folder for what is written
#     DOCUMENTS, SCENARIOS, EXAMPLES
#                           files of the tree, by their paths in it
#     DOC_FOLDER            where documents go
#     CONFIG_FOLDER         where the configuration is; either is below the prefix if it does not begin with a slash
#
# The program is in the path, the demonstration is an example, the configuration where it belongs, and what commands write
# into build/ goes where they are given. A link to what is not installed becomes its text.
cmake_policy(VERSION 3.25)
cmake_path(ABSOLUTE_PATH DOC_FOLDER BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX})
cmake_path(ABSOLUTE_PATH CONFIG_FOLDER BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX})

function(adapt_commands variable)
  set(text "${${variable}}")
  string(REPLACE "build/release/harnessd" "harnessd" text "${text}")
  string(REGEX REPLACE "tests/(demo[.]exs|playground[.]sh)" "${DOC_FOLDER}/examples/\\1" text "${text}")
  string(REGEX REPLACE "build/([a-z_]+[.](log|xml|json|exs)|cookie)" "\\1" text "${text}")
  string(REGEX REPLACE "([ `])config/(scenarios|harnessd[.]json)" "\\1${CONFIG_FOLDER}/\\2" text "${text}")
  set(${variable} "${text}" PARENT_SCOPE)
endfunction()

# Sets `variable` to what a link to a file of the tree is to lead to; to nothing when that is not installed.
function(installed_target variable path)
  set(target "")
  if(path STREQUAL "LICENSE")
    set(target ${DOC_FOLDER}/copyright)
  elseif(path STREQUAL "config/harnessd.json" OR path STREQUAL "config/scenarios" OR path IN_LIST SCENARIOS)
    string(REGEX REPLACE "^config" "${CONFIG_FOLDER}" target ${path})
  endif()
  set(${variable} "${target}" PARENT_SCOPE)
endfunction()

function(adapt_links variable page)
  set(text "${${variable}}")
  cmake_path(GET page PARENT_PATH folder)
  # No bracket is in what is matched: lists take those for theirs.
  string(REGEX MATCHALL "[(][^][()# :;\n]+[)#]" words "${text}")
  list(REMOVE_DUPLICATES words)
  foreach(word ${words})
    string(REGEX REPLACE "[()#]" "" link "${word}")
    cmake_path(ABSOLUTE_PATH link BASE_DIRECTORY ${SOURCE}/${folder} NORMALIZE OUTPUT_VARIABLE path)
    cmake_path(RELATIVE_PATH path BASE_DIRECTORY ${SOURCE})
    if(NOT EXISTS ${SOURCE}/${path} OR path IN_LIST DOCUMENTS)
      continue()
    endif()
    installed_target(target ${path})
    if(target)
      string(REPLACE "](${link}" "](${target}" text "${text}")
    else()
      string(REPLACE "." "[.]" pattern "${link}")
      string(REGEX REPLACE "[[]([^]]*)\\][(]${pattern}(#[^)]*)?[)]" "\\1 (in the sources)" text "${text}")
    endif()
  endforeach()
  set(${variable} "${text}" PARENT_SCOPE)
endfunction()

# install_adapted FILE FOLDER
function(install_adapted file destination)
  file(READ ${SOURCE}/${file} text)
  adapt_commands(text)
  if(file MATCHES "[.]md$")
    adapt_links(text ${file})
  endif()
  file(WRITE ${WORK}/${file} "${text}")
  file(INSTALL DESTINATION ${destination} TYPE FILE FILES ${WORK}/${file})
endfunction()

foreach(file ${DOCUMENTS})
  cmake_path(GET file PARENT_PATH folder)
  install_adapted(${file} ${DOC_FOLDER}/${folder})
endforeach()
foreach(file ${EXAMPLES})
  install_adapted(${file} ${DOC_FOLDER}/examples)
endforeach()
foreach(file ${SCENARIOS})
  install_adapted(${file} ${CONFIG_FOLDER}/scenarios)
endforeach()
