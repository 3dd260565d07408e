# Run by CPack between install and packing, in one folder a component: what Debian's policy asks for besides what is installed.
# Without these two CPack fails obscurely, or packs programs that name nothing they depend on.
foreach(tool dpkg-shlibdeps file)
  find_program(found_${tool} ${tool})
  if(NOT found_${tool})
    message(FATAL_ERROR "${tool} is needed to make Debian packages: apt install dpkg-dev file")
  endif()
endforeach()
file(GLOB components LIST_DIRECTORIES true ${CPACK_TEMPORARY_DIRECTORY}/*)
foreach(component IN LISTS components)
  if(NOT IS_DIRECTORY ${component}/usr)
    continue()
  endif()
  get_filename_component(name ${component} NAME)
  string(TOUPPER ${name} name)
  set(doc ${component}/usr/share/doc/${CPACK_DEBIAN_${name}_PACKAGE_NAME})
  file(MAKE_DIRECTORY ${doc})
  file(CHMOD ${doc} PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
  file(REMOVE ${doc}/LICENSE) # the system has that text
  file(COPY ${CMAKE_CURRENT_LIST_DIR}/copyright ${CMAKE_CURRENT_LIST_DIR}/changelog DESTINATION ${doc}
       FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
  file(GLOB_RECURSE pages ${component}/usr/share/man/*)
  execute_process(COMMAND gzip -9 -n ${doc}/changelog ${pages} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
