# The program whose worker says what none of ours says: flow.hostile. Builds in older trees as well.
add_executable(sidelock_hostile ${CMAKE_CURRENT_LIST_DIR}/hostile.c ${CMAKE_SOURCE_DIR}/proxy/cli/main.c)
target_link_libraries(sidelock_hostile PRIVATE cli)
target_link_options(sidelock_hostile PRIVATE
  -Wl,--wrap=sandbox_enter -Wl,--wrap=landlock_hold -Wl,--wrap=channel_send -Wl,--wrap=channel_show -Wl,--wrap=channel_receive)
set_target_properties(sidelock_hostile PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
